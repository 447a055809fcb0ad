"""`python -m smsgw` does what `smsgw` does."""

from smsgw.main import app

if __name__ == "__main__":
    app(prog_name="smsgw")
