"""`python -m reinmaker_cli` is `reinmaker`."""

from reinmaker_cli.cli.app import main

if __name__ == "__main__":
    main()
