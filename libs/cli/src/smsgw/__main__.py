"""`python -m smsgw` is the same as `smsgw`."""

from smsgw.main import app

if __name__ == "__main__":
    app(prog_name="smsgw")
