"""What another gateway remembers, for one that starts with nothing while the operator is away.

Both prove that they are gateways of this installation by its gateway token, which is never sent: the one who
asks signs a number that is used once, and the answer is signed together with that number.
"""

import asyncio
import hmac
import logging
import secrets
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from assay_relay.memory import Memory
from assay_relay.messages import LARGEST

log = logging.getLogger(__name__)

SERVICE, METHOD = "assay.relay.v1.Memory", "Recall"
HASH = "sha256"
SIGNATURE = 32  # bytes
ONCE = 32
ASK_AGAIN_SECONDS = 1.0
ANSWER_SECONDS = 5.0
OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST),
    ("grpc.enable_http_proxy", 0),
    ("grpc.so_reuseport", 0),
)


def question(key: bytes, once: bytes) -> bytes:
    """Return what is sent by a gateway that knows nothing."""
    return _signature(key, b"ask", once) + once


def answer(keys: list[bytes], query: bytes, content: bytes) -> bytes | None:
    """Return what is sent back, or None if whoever asked has none of the keys."""
    signature, once = query[:SIGNATURE], query[SIGNATURE:]
    for key in keys:
        if len(once) == ONCE and hmac.compare_digest(signature, _signature(key, b"ask", once)):
            return _signature(key, b"tell", once + content) + content
    return None


def content(key: bytes, once: bytes, answered: bytes) -> bytes | None:
    """Return what an answer says, or None if it is not the answer of a gateway to this question."""
    signature, body = answered[:SIGNATURE], answered[SIGNATURE:]
    return body if hmac.compare_digest(signature, _signature(key, b"tell", once + body)) else None


def _signature(key: bytes, word: bytes, body: bytes) -> bytes:
    return hmac.digest(key, word + body, HASH)


class Peers:
    """The other gateways, behind one address that leads to those who are ready; none without an address."""

    def __init__(self, address: str, token_file: Path | None) -> None:
        """Know where they are; nobody is asked yet."""
        self._address = address
        self._token_file = token_file

    def keys(self) -> list[bytes]:
        """Return the tokens of gateways, of which each is good while they are rotated."""
        if self._token_file is None:
            return []
        return [line.strip() for line in self._token_file.read_bytes().splitlines() if line.strip()]

    async def teach(self, memory: Memory) -> None:
        """Ask until something is remembered, if there is anybody to ask."""
        while self._address and not len(memory):
            if reply := await self._ask():
                memory.adopt(reply)
                log.warning("another gateway told what it has: %d resources", len(memory))
            if not len(memory):
                await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _ask(self) -> bytes | None:
        keys, once = self.keys(), secrets.token_bytes(ONCE)
        if not keys:
            return None
        try:
            async with grpc.aio.insecure_channel(self._address, options=OPTIONS) as channel:
                call = channel.unary_unary(f"/{SERVICE}/{METHOD}")
                reply = await call(question(keys[0], once), timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            log.info("no gateway told what it has: %s", error.details())
            return None
        return content(keys[0], once, reply)

    def serve(self, memory: Memory, port: int) -> grpc.aio.Server:
        """Return a server, not yet started, that answers other gateways."""

        async def recall(query: bytes, context: Any) -> bytes:
            reply = answer(self.keys(), query, memory.packed()) if len(memory) else b""
            if not reply:
                code = grpc.StatusCode.UNAUTHENTICATED if reply is None else grpc.StatusCode.NOT_FOUND
                await context.abort(
                    code, "no gateway of this installation" if reply is None else "nothing yet"
                )
            return reply or b""

        server = grpc.aio.server(options=OPTIONS)
        handlers = {METHOD: grpc.unary_unary_rpc_method_handler(recall)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        server.add_insecure_port(f"0.0.0.0:{port}")
        return server
