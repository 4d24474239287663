"""Publish lesson assets to Reinmaker, and rehearse it on one machine.

The command line is `reinmaker`; `docs/architecture.md` draws the rooms of this package. What scripts may build on has a
name here, and `docs/python.md` shows it at work. Importing the package imports nothing else: each name is looked up in
its room when it is first used.
"""

TYPE_CHECKING = False  # importing `typing` costs a fifth of `reinmaker --version`
if TYPE_CHECKING:
    from reinmaker_cli.assets.asset import Asset as Asset
    from reinmaker_cli.assets.asset import Scan as Scan
    from reinmaker_cli.assets.project import Project as Project
    from reinmaker_cli.assets.project import load_project as load_project
    from reinmaker_cli.assets.scan import scan_folder as scan_folder
    from reinmaker_cli.client.api import Api as Api
    from reinmaker_cli.client.api import open_api as open_api
    from reinmaker_cli.client.credentials import Credentials as Credentials
    from reinmaker_cli.client.credentials import find_credentials as find_credentials
    from reinmaker_cli.client.environment import Environment as Environment
    from reinmaker_cli.client.journey import Options as Options
    from reinmaker_cli.client.journey import Surroundings as Surroundings
    from reinmaker_cli.client.keyring_store import KeyringStore as KeyringStore
    from reinmaker_cli.client.local import LocalControl as LocalControl
    from reinmaker_cli.client.publish import publish as publish
    from reinmaker_cli.client.report import PublishResult as PublishResult
    from reinmaker_cli.client.report import Report as Report
    from reinmaker_cli.contract.findings import Finding as Finding
    from reinmaker_cli.contract.validation import check_manifest as check_manifest
    from reinmaker_cli.errors import ReinmakerError as ReinmakerError
    from reinmaker_cli.manifest.assemble import Assembly as Assembly
    from reinmaker_cli.manifest.assemble import Draft as Draft
    from reinmaker_cli.manifest.assemble import assemble as assemble
    from reinmaker_cli.manifest.document import Manifest as Manifest
    from reinmaker_cli.manifest.document import load_manifest as load_manifest
    from reinmaker_cli.manifest.examine import examine as examine
    from reinmaker_cli.manifest.receipt import make_receipt as make_receipt
    from reinmaker_cli.manifest.verify import verify_folder as verify_folder
    from reinmaker_cli.server.config import ServerConfig as ServerConfig
    from reinmaker_cli.server.running import running_server as running_server

__version__ = "0.1.0"

_HOMES = {
    "assets.asset": ("Asset", "Scan"),
    "assets.project": ("Project", "load_project"),
    "assets.scan": ("scan_folder",),
    "manifest.assemble": ("Assembly", "Draft", "assemble"),
    "manifest.document": ("Manifest", "load_manifest"),
    "manifest.examine": ("examine",),
    "manifest.receipt": ("make_receipt",),
    "manifest.verify": ("verify_folder",),
    "client.environment": ("Environment",),
    "client.credentials": ("Credentials", "find_credentials"),
    "client.keyring_store": ("KeyringStore",),
    "client.api": ("Api", "open_api"),
    "client.journey": ("Options", "Surroundings"),
    "client.publish": ("publish",),
    "client.report": ("PublishResult", "Report"),
    "client.local": ("LocalControl",),
    "contract.findings": ("Finding",),
    "contract.validation": ("check_manifest",),
    "errors": ("ReinmakerError",),
    "server.config": ("ServerConfig",),
    "server.running": ("running_server",),
}
"""Room and file → the names that are public."""
__all__ = ["__version__", *(name for names in _HOMES.values() for name in names)]  # noqa: PLE0604  all are text


def __getattr__(name: str) -> object:
    """Look a public name up in its room, once (PEP 562)."""
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
