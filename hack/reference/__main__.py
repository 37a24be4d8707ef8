"""`PYTHONPATH=hack python -m reference` writes every page anew; `hack/generated.py` compares them."""

from reference.pages import rendered

if __name__ == "__main__":
    for page, text in rendered().items():
        page.write_text(text)
