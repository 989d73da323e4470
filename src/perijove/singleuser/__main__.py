"""``python -m perijove.singleuser`` is ``perijove singleuser``."""

from perijove.singleuser.app import main

if __name__ == "__main__":
    main()
