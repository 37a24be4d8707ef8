"""Reasons that a predictor leaves when it does not start: its artifact must not, or cannot, be used."""

from collections.abc import Mapping

from assay_api.reason.documented import Documented, on, warning
from assay_api.reason.word import Reason

_PLACES = on("ModelVersion", "Available")


def _fault(meaning: str, action: str) -> Documented:
    return warning(_PLACES, meaning, action)


ARTIFACT: Mapping[Reason, Documented] = {
    Reason.ARTIFACT_MISSING: _fault(
        "A file of the artifact is not where it should be.", "Check its URI and store."
    ),
    Reason.BAD_MANIFEST: _fault(
        "The manifest, or what the model says of itself, cannot be used.", "Mend it as the message says."
    ),
    Reason.BAD_SETTINGS: _fault(
        "The predictor's settings cannot be used.", "Report it as a bug, with the message."
    ),
    Reason.DIGEST_MISMATCH: _fault(
        "The bytes are not those whose digest is recorded.",
        "Find out who changed them; give the right digest only if you trust them.",
    ),
    Reason.EXTERNAL_DATA: _fault(
        "An ONNX graph keeps tensors in another file.", "Save the graph as one file."
    ),
    Reason.FORMAT_MISMATCH: _fault(
        "The artifact has another format than the Model says.", "Mend `artifact.format`."
    ),
    Reason.PICKLE_REFUSED: _fault(
        "The artifact is a joblib file, which runs code when it is read.",
        "Use skops or ONNX; or set `artifact.allowPickle` if you trust whoever wrote it.",
    ),
    Reason.READER_MISSING: _fault(
        "The image cannot read this format.", "Use the predictor image of this release, or another format."
    ),
    Reason.STORE_UNAVAILABLE: _fault(
        "The artifact store does not answer, or refuses access.",
        "Check the store, its Secret and the network.",
    ),
    Reason.TOO_LARGE: _fault(
        "The artifact is larger than may be read.", "Make it smaller, or serve an image."
    ),
    Reason.UNDESCRIBED: _fault(
        "A lone file does not say enough about its inputs.", "Put it into a folder with a manifest.json."
    ),
    Reason.UNREADABLE: _fault(
        "The file cannot be read as its format.", "Write it again; check how it was copied."
    ),
    Reason.UNTRUSTED_TYPE: _fault(
        "A skops file builds types that nobody has vouched for.",
        "List them in `trusted_types` of the manifest, if you trust whoever wrote the file.",
    ),
    Reason.WARM_UP_FAILED: _fault(
        "The first prediction failed.", "Read the message; check features and sample."
    ),
    Reason.ZIP_BOMB: _fault("The archive unpacks to more than is allowed.", "Find out who made it."),
}
