"""`python -m napari_tcgn` is the same as `napari-tcgn`."""

from napari_tcgn.cli import main

if __name__ == "__main__":
    main()
