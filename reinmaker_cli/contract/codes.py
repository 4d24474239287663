"""Every code the product says, once: what it means and what to do.

A code is the same word in text, `--json`, CI annotations, problem documents and `reinmaker explain CODE`.
Three families: findings (a place in a folder or manifest), problems (an answer of the API), errors (the command failed).
"""

from __future__ import annotations

from typing import Final, Literal

from reinmaker_cli.contract.findings import Finding, Severity

Family = Literal["finding", "problem", "error"]

ALL: Final[dict[str, Code]] = {}
"""Each code by its name, in the order of this file."""


class Code(str):
    """A code word that knows its explanation; equal to, and written as, the plain word."""

    __slots__ = ("allowable", "cure", "family", "meaning", "severity", "status", "summary")

    summary: str
    """The fact in a few words."""
    meaning: str
    cure: str
    family: Family
    severity: Severity
    status: int
    """HTTP status where the code is the answer to a request, else 0."""
    allowable: bool
    """False where `--allow` cannot turn the finding into a warning: the bytes or the document are unusable."""

    @property
    def heading(self) -> str:
        """Return the summary as a line of its own: the `title` of a problem document."""
        return self.summary[0].upper() + self.summary[1:]

    def finding(self, message: str, *, hint: str = "", **where: str | None) -> Finding:
        """Return a finding of this code and severity; without a hint it carries the code's cure."""
        # `line`, the one place that is a number, is set by who reads files with lines.
        return Finding(str(self), message, hint or self.cure, self.severity, **where)  # type: ignore[arg-type]


def _code(
    family: Family,
    name: str,
    summary: str,
    meaning: str,
    cure: str,
    *,
    severity: Severity = "error",
    status: int = 0,
    allowable: bool = True,
) -> Code:
    code = Code(name)
    code.family, code.summary, code.meaning, code.cure = family, summary, meaning, cure
    code.severity, code.status, code.allowable = severity, status, allowable
    ALL[name] = code
    return code


def _finding(name: str, summary: str, meaning: str, cure: str, *, allowable: bool = True, status: int = 0) -> Code:
    return _code("finding", name, summary, meaning, cure, allowable=allowable, status=status)


def _warning(name: str, summary: str, meaning: str, cure: str) -> Code:
    return _code("finding", name, summary, meaning, cure, severity="warning")


def _problem(status: int, name: str, summary: str, meaning: str, cure: str) -> Code:
    return _code("problem", name, summary, meaning, cure, status=status)


def _error(name: str, summary: str, meaning: str, cure: str) -> Code:
    return _code("error", name, summary, meaning, cure)


# --- findings: files -------------------------------------------------------------------------------------------------

LFS_POINTER = _finding(
    "lfs-pointer",
    "Git LFS pointer instead of the file",
    "The file is a few lines of text that Git LFS leaves where the real file was never downloaded."
    " Published, it would reach the game as a broken asset.",
    "run `git lfs pull` in the folder, then scan again",
    allowable=False,
)
EMPTY_FILE = _finding(
    "empty-file",
    "empty file",
    "The file has no bytes. An export was interrupted, or a placeholder was left behind.",
    "export the file again, or ignore it under [ignore] in reinmaker.toml",
    allowable=False,
)
FILE_CHANGED = _finding(
    "file-changed",
    "file changed while it was read",
    "Size or time of the file changed between the first and the last byte, twice in a row."
    " Its hash would describe bytes that exist nowhere.",
    "wait until the export has finished, then run the command again",
    allowable=False,
)
MAGIC_MISMATCH = _finding(
    "magic-mismatch",
    "the bytes are not what the name says",
    "The first bytes of the file belong to another format than its extension, for example an HTML error page saved as .mp3.",
    "download or export the file again, or give it the right extension",
)
UNREADABLE = _finding(
    "unreadable",
    "file or folder cannot be read",
    "The operating system refused to open it: permissions, a broken disk, or it disappeared during the scan.",
    "check its permissions with `ls -l`, then scan again",
)
SPECIAL_FILE = _finding(
    "special-file",
    "not a regular file",
    "A FIFO, socket or device lies in the folder, or is named as a manifest or receipt. Reading it could block for ever,"
    " so it is not read.",
    "remove it from the folder, or ignore it under [ignore]",
)
LINK_OUTSIDE_ROOT = _finding(
    "link-outside-root",
    "link that leaves the asset root",
    "The symbolic link points to nothing, or to a place outside the asset folder, or back to a folder above itself."
    " What it names can change without the folder changing.",
    "copy the file into the folder, or ignore the link under [ignore]",
)
CASE_COLLISION = _finding(
    "case-collision",
    "names that differ in case only",
    "On Windows and macOS the two names are one file, so a checkout there loses one of them.",
    "rename one of the two",
)
UNICODE_COLLISION = _finding(
    "unicode-collision",
    "names that differ in Unicode form only",
    "The names look the same and differ in how accents are encoded (NFC and NFD). macOS treats them as one file.",
    "rename one of the two",
)
UNPORTABLE_NAME = _finding(
    "unportable-name",
    "name that some systems cannot hold",
    "The name is not UTF-8, holds a character that Windows forbids or a control character, ends in a dot or a space,"
    " or is a device name such as CON. Others could not check the folder out.",
    "rename the file",
)
UNMATCHED_FILE = _finding(
    "unmatched-file",
    "file that nothing matches",
    "No rule in reinmaker.toml, no folder name and no extension says what this file is. Nothing is dropped or guessed.",
    "add a [[rule]] for it, or ignore it under [ignore]",
)
AMBIGUOUS_MATCH = _finding(
    "ambiguous-match",
    "name that can be read in more than one way",
    "The name can be split between the captures of its rule in several ways, and the lists under [values] allow more than one.",
    "list the allowed values of the captures under [values]",
)
BROKEN_SIDECAR = _finding(
    "broken-sidecar",
    "sidecar that cannot be read",
    "A file `<name>.meta.json` must be a JSON object and must lie beside the file it describes.",
    "correct the JSON, or remove the sidecar",
)
COVERAGE_GAP = _finding(
    "coverage-gap",
    "a locale or persona is missing",
    "Under [coverage] the project says which values every lesson must have, and this lesson lacks some.",
    "add the missing files, or shorten the list under [coverage]",
)
UNKNOWN_CAPTURE = _finding(
    "unknown-capture",
    "placeholder without a value",
    "A template in reinmaker.toml uses a placeholder that the rule of this file does not capture.",
    "capture it in the rule's `match`, or remove it from the template",
    allowable=False,
)

# --- findings: manifests ---------------------------------------------------------------------------------------------

SCHEMA_VIOLATION = _finding(
    "schema-violation",
    "the manifest does not fit the schema",
    "A required member is missing, or a value has another type or form than the manifest schema allows.",
    "correct the place that the pointer names; `reinmaker spec schema` prints the schema",
    allowable=False,
)
MANIFEST_ID = _finding(
    "manifest-id",
    "manifestId that cannot be a name",
    "A manifestId is a path segment and a file name: 1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or digit.",
    "change `id` under [manifest]",
    allowable=False,
)
DUPLICATE_ASSET_ID = _finding(
    "duplicate-asset-id",
    "two assets with one id",
    "Ids are made from paths, and these two paths give the same one; the game could load only one of them.",
    "rename one of the files, or set `id` in a [[rule]]",
    allowable=False,
)
DUPLICATE_ASSET_URL = _finding(
    "duplicate-asset-url",
    "two assets with one URL",
    "Both assets name the same URL, so one of them would be served the other's bytes.",
    "make the `url` template distinguish them, for example with {path} or {sha256:8}",
    allowable=False,
)
DUPLICATE_CONTENT = _warning(
    "duplicate-content",
    "the same bytes under two URLs",
    "Two assets have the same hash. That is legal, and often a copy made by mistake.",
    "check whether one of the two files should hold something else",
)
VERSION_NOT_A_DATE = _finding(
    "version-not-a-date",
    "version that is no date",
    "A version is a calendar date, YYYY.MM.DD, with an optional suffix; this one fits the pattern but no calendar.",
    'use a real date, or `version = "auto"`',
    allowable=False,
)
NO_ASSETS = _finding(
    "no-assets",
    "manifest without assets",
    "The list of assets is empty, so there is nothing to publish.",
    "check the folder with `reinmaker scan --ignored`",
    allowable=False,
)
URL_NOT_ABSOLUTE = _finding(
    "url-not-absolute",
    "asset URL that is not absolute",
    "An asset URL needs a scheme and a host or bucket, such as s3://bucket/path or https://host/path.",
    "change `url` under [manifest]",
    allowable=False,
)
URL_SCHEME = _finding(
    "url-scheme",
    "asset URL with a scheme that is not allowed",
    "Allowed are https, s3, gs and az; http and file only for loopback and local use.",
    "change `url` under [manifest]",
    allowable=False,
)
UNKNOWN_PROPERTY = _warning(
    "unknown-property",
    "property that looks like a typing mistake",
    "Additional properties are legal, but this name is within two letters of one that the schema knows.",
    "correct the name, or leave it if it is meant",
)
NOT_IJSON = _finding(
    "not-i-json",
    "JSON that readers disagree about",
    "The document is not I-JSON (RFC 7493): a duplicate name, a lone surrogate, NaN, an integer beyond 2^53-1,"
    " or nesting beyond 64. Two readers could see two different manifests.",
    "correct the place that the message names",
    allowable=False,
    status=400,  # a finding in a file, a problem in a request
)
NOT_JSON = _finding(
    "not-json",
    "not JSON",
    "The text cannot be read as JSON.",
    "correct the place that the message names; `python -m json.tool FILE` finds it too",
    allowable=False,
    status=400,  # a finding in a file, a problem in a request
)

# --- findings: a manifest against the world --------------------------------------------------------------------------

_OTHER_BYTES_THERE: Final = (
    "what lies there is never replaced: give the file another URL, by a new name or by {sha256:8} in `url` under"
    " [manifest], then `reinmaker publish --push`"
)

ASSET_UNREACHABLE = _finding(
    "asset-unreachable",
    "the asset's URL does not serve it",
    "Nothing could be read from the URL: missing, refused, or out of reach.",
    "put the file there and publish again: `reinmaker publish --push` does both;"
    " `reinmaker build --copy-plan -` lists what goes where",
)
ASSET_BYTES = _finding(
    "asset-bytes",
    "the URL serves another number of bytes",
    "The size of what the URL serves is not the size in the manifest.",
    _OTHER_BYTES_THERE,
)
ASSET_HASH = _finding(
    "asset-hash",
    "the URL serves other bytes",
    "What the URL serves has another SHA-256 than the manifest says.",
    _OTHER_BYTES_THERE,
)
ASSET_UNVERIFIED = _finding(
    "asset-unverified",
    "the server could not reach the asset's bytes",
    "The server was told to accept only assets whose bytes it has read, and it has no way to read this URL.",
    "name the folder with `--map URL_PREFIX=DIR`, or start the server with `--verify available`",
)
ASSET_IMMUTABLE = _finding(
    "asset-immutable",
    "other bytes under a published URL",
    "Assets are immutable once published: players' devices keep what they loaded from a URL."
    " A changed file needs a new URL.",
    "put {sha256:8} into the `url` template, as `reinmaker init` writes it, or give the file a new name",
    allowable=False,
)
URL_NO_OBJECT = _finding(
    "url-no-object",
    "the asset's URL means no object that can be put there",
    "An upload goes to where the URLs say, and these name no bucket: another scheme, a query, or a path that no key has."
    " `reinmaker push` knows s3, gs and az, and what --map says.",
    "write a URL such as `s3://bucket/{path}` under [manifest], or name a folder with `--map URL_PREFIX=DIR`",
    allowable=False,
)
ASSET_TOO_LARGE = _finding(
    "asset-too-large",
    "file too large for one upload",
    "An upload that never overwrites is one request, and stores take 5 GiB in one.",
    "make the file smaller; an upload in parts could replace what is published",
    allowable=False,
)
ASSETS_REMOVED = _warning(
    "assets-removed",
    "assets of the active version are missing",
    "The version that players use now has assets which the new one lacks. That may be meant, or a half-copied folder.",
    "look with `reinmaker diff`; if it is not meant, copy the files back and publish again",
)
DRIFT = _finding(
    "drift",
    "the folder is no longer what was reviewed",
    "The manifest was built from other bytes than those that lie in the folder now.",
    "build the manifest again and review it, or restore the files",
    allowable=False,
)
# --- findings: gameplay events --------------------------------------------------------------------------------------

EVENT_INVALID = _finding(
    "event-invalid",
    "event that breaks a rule",
    "An event needs eventId and type (1 to 128 characters) and occurredAt (RFC 3339, UTC, with Z); userId and sessionId"
    " are texts of 1 to 256 characters, properties is an object. A batch with one wrong event is refused whole.",
    "correct the places, then send the file again; nothing is counted twice",
    allowable=False,
    status=422,  # a finding in a file, a problem in a request
)
PERSONAL_NAME = _finding(
    "personal-name",
    "member that looks like a person's name",
    "The member's name says that its value is the name of a person. Players are children (COPPA, FERPA): events carry"
    " the pseudonymous userId and nothing that tells who it is.",
    "leave it out of the event; `--allow personal-name` if it names no person",
)
PERSONAL_EMAIL = _finding(
    "personal-email",
    "e-mail address",
    "The member is called an e-mail address, or an e-mail address stands in its text.",
    "leave it out of the event; `--allow personal-email` if it is nobody's address",
)
PERSONAL_PHONE = _finding(
    "personal-phone",
    "phone number",
    "The member is called a phone number, or something like one stands in its text.",
    "leave it out of the event; `--allow personal-phone` if it is no phone number",
)
PERSONAL_BIRTH_DATE = _finding(
    "personal-birth-date",
    "date of birth",
    "The member's name says that its value is a birth date. An age group (`agePersona`) is enough for lessons.",
    "leave it out of the event; `--allow personal-birth-date` if it is no person's",
)
PERSONAL_ADDRESS = _finding(
    "personal-address",
    "postal or network address",
    "The member's name says that its value is where somebody lives or is online.",
    "leave it out of the event; `--allow personal-address` if it is nobody's",
)

SECRET_OLD = _warning(
    "secret-old",
    "client secret close to its end",
    "A client secret is refused after 90 days, and this one is older than 75.",
    "ask the issuer for a new one, then `reinmaker auth rotate`",
)
SECRET_IN_FILE = _finding(
    "secret-in-file",
    "something like a secret in a project file",
    "A project file is shared and committed, so it must never hold a secret, a token or a key.",
    "remove it and rotate the secret; `reinmaker auth login` keeps it in the keyring",
    allowable=False,
)

# --- findings: webhooks ----------------------------------------------------------------------------------------------

WEBHOOK_HEADER_MISSING = _finding(
    "webhook-header-missing",
    "Header of a signed webhook is missing",
    "A webhook has `webhook-id`, `webhook-timestamp` and `webhook-signature`. Without all three nobody knows who sent it.",
    "let proxies and frameworks pass these headers on; a request without them did not come from Reinmaker",
)
WEBHOOK_HEADER_MALFORMED = _finding(
    "webhook-header-malformed",
    "Header of a webhook cannot be read",
    "`webhook-id` is printable ASCII, `webhook-signature` holds `v1,` and base64, several of them with spaces between.",
    "look for what changes headers on the way; check the file that the request was captured in",
)
WEBHOOK_TIMESTAMP_UNREADABLE = _finding(
    "webhook-timestamp-unreadable",
    "Timestamp of a webhook is no number",
    "`webhook-timestamp` is the time of this attempt in whole Unix seconds.",
    "the sender must write seconds, not milliseconds with a fraction and not a date",
)
WEBHOOK_TOO_OLD = _finding(
    "webhook-too-old",
    "Webhook was signed too long ago",
    "More than 5 minutes have passed since it was signed: it is a replay, was held up, or a clock is wrong.",
    "for a captured request give the time of its capture: `reinmaker webhooks verify FILE --at TIME`; else set the clock",
)
WEBHOOK_TOO_NEW = _finding(
    "webhook-too-new",
    "Webhook was signed in the future",
    "It was signed more than 5 minutes from now: the clock of this machine or that of the sender is wrong.",
    "set the clock: `timedatectl set-ntp true`; a moved clock of the local server does not sign",
)
WEBHOOK_OTHER_VERSION = _finding(
    "webhook-other-version",
    "No v1 signature",
    "The signatures are of another version of the scheme, such as `v1a`, which needs a public key.",
    "the sender must sign with `v1`, HMAC-SHA256",
)
WEBHOOK_SECRET_ENDED = _finding(
    "webhook-secret-ended",
    "Signed with a secret that has ended",
    "The endpoint has another secret since a rotation, and the time in which both sign is over.",
    "let the sender use the current secret; in the receiver keep both while both sign",
)
WEBHOOK_SECRET_NOT_DECODED = _finding(
    "webhook-secret-not-decoded",
    "Signed with the text of the secret",
    "The key of the HMAC is what the base64 after `whsec_` stands for, not the text.",
    "decode it first: base64 of everything after `whsec_`",
)
WEBHOOK_BODY_RESERIALISED = _finding(
    "webhook-body-reserialised",
    "Body was written anew",
    "The signature fits the same JSON in another writing: something read the body and wrote it again before it was verified.",
    "verify the raw bytes, before any JSON parser: `express.raw()`, `await request.body()`, `request.get_data()`",
)
WEBHOOK_WRONG_SECRET = _finding(
    "webhook-wrong-secret",
    "Signature does not fit",
    "It was made with another secret, or id, timestamp or body are not what was signed. Each endpoint has its own secret.",
    "compare the secret with that of this very endpoint; verify the raw bytes of the body",
)
RECEIVER_REFUSES_GOOD = _finding(
    "receiver-refuses-good",
    "Receiver refuses what is signed as it should be",
    "Anything but 2xx is a failure: the delivery is tried again five times and ends as a dead letter.",
    "check its secret, and that it verifies the raw bytes of the body before it parses them",
)
RECEIVER_REFUSES_RAW = _finding(
    "receiver-refuses-raw",
    "Receiver verifies other bytes than were sent",
    "It takes a compact body and refuses one with other white space and escapes: it verifies JSON that it wrote itself.",
    "verify the raw bytes, before any JSON parser: `express.raw()`, `await request.body()`, `request.get_data()`",
)
RECEIVER_REFUSES_ROTATION = _finding(
    "receiver-refuses-rotation",
    "Receiver reads only one signature",
    "While a secret is rotated, `webhook-signature` holds one signature per secret, and one that fits is enough.",
    "split the header at spaces, pass over versions that are not `v1`, accept if any of them fits",
)
RECEIVER_REFUSES_UNKNOWN = _finding(
    "receiver-refuses-unknown",
    "Receiver refuses events that it does not know",
    "New types of events come without a warning; each one would be tried six times and end as a dead letter.",
    "answer 2xx to types that it does not use, and leave them",
)
RECEIVER_REFUSES_DUPLICATE = _finding(
    "receiver-refuses-duplicate",
    "Receiver refuses an event that it has already",
    "Deliveries come at least once. An error for a duplicate has it sent again, until it is a dead letter.",
    "remember `webhook-id`; answer 2xx to one that was dealt with, and do nothing",
)
RECEIVER_ACCEPTS_FORGERY = _finding(
    "receiver-accepts-forgery",
    "Receiver accepts what nobody with the secret signed",
    "Whoever knows its address can send it events.",
    "verify the signature before anything else, and answer 401 where it does not fit",
)
RECEIVER_ACCEPTS_OLD = _finding(
    "receiver-accepts-old",
    "Receiver accepts old timestamps",
    "Whoever has once seen a delivery can send it again at any time.",
    "refuse a `webhook-timestamp` more than 5 minutes from now, to either side",
)
RECEIVER_SLOW = _finding(
    "receiver-slow",
    "Receiver takes longer than 5 seconds",
    "A delivery has 5 seconds, connecting and reading the whole answer included. What takes longer has failed, and comes again.",
    "put the event into a queue, answer 2xx, and work on it afterwards",
)
RECEIVER_REDIRECTS = _finding(
    "receiver-redirects",
    "Receiver redirects",
    "Redirects are not followed: they are failures.",
    "register the address that it leads to, with its exact path; mind a slash at its end",
)
RECEIVER_FAILS_AT_ONCE = _finding(
    "receiver-fails-at-once",
    "Receiver does not bear five deliveries at once",
    "Up to 5 deliveries are in flight to one endpoint, and the sixth follows as soon as one has ended.",
    "let it serve several requests at once: more workers, and no lock across a request",
)

# --- problems: answers of the API ------------------------------------------------------------------------------------

NOT_FOUND = _problem(
    404, "not-found", "No such route", "The path is not one of the API's.", "`reinmaker spec openapi` lists them"
)
METHOD_NOT_ALLOWED = _problem(
    405,
    "method-not-allowed",
    "Method not allowed",
    "The path exists, but not with this method.",
    "see the Allow header",
)
HOST_NOT_ALLOWED = _problem(
    421,
    "host-not-allowed",
    "Host name not expected",
    "The server answers only the host names it was started for, so that no web page can reach it under a name of its own.",
    "use localhost, or start the server with `--allow-host NAME`",
)
TOKEN_MISSING = _problem(
    401,
    "token-missing",
    "No access token",
    "The route needs a Bearer token and the request had none.",
    "fetch one with `reinmaker auth token`",
)
TOKEN_INVALID = _problem(
    401,
    "token-invalid",
    "Access token not valid",
    "The token is expired, damaged, or made for another API.",
    "fetch a new one; is that refused too, `reinmaker doctor --online` compares clocks and addresses",
)
INSUFFICIENT_SCOPE = _problem(
    403,
    "insufficient-scope",
    "Scope missing",
    "The client is known but was not granted the scope that this route needs.",
    "ask the issuer for the scope that WWW-Authenticate names; `reinmaker auth status` lists yours",
)
CONTROL_REFUSED = _problem(
    403,
    "control-refused",
    "Control request refused",
    "The control API takes only requests from this machine, with the control token, and from no foreign web page.",
    "use `reinmaker local`, which sends the token from the data folder",
)
QUOTA_EXCEEDED = _problem(
    429,
    "quota-exceeded",
    "Too many requests",
    "The client sent more requests in the window than its policy allows.",
    "wait for Retry-After seconds",
)
REQUEST_TIMEOUT = _problem(
    408,
    "request-timeout",
    "Request too slow",
    "The head or the body of the request did not come within its time limit; nothing was done with it.",
    "send it again, over a steadier connection",
)
BODY_TOO_LARGE = _problem(
    413, "body-too-large", "Body too large", "The body is larger than this route takes.", "split the manifest"
)
MEDIA_TYPE_UNSUPPORTED = _problem(
    415,
    "media-type-unsupported",
    "Media type or encoding not supported",
    "The body must be application/json, plain or with Content-Encoding gzip.",
    "send Content-Type: application/json",
)
BAD_REQUEST = _problem(
    400, "bad-request", "Request cannot be read", "A parameter or the body has an impossible form.", "see the detail"
)
MANIFEST_INVALID = _problem(
    422,
    "manifest-invalid",
    "Manifest not valid",
    "The manifest breaks the schema or a rule beyond it; `errors` names each place.",
    "correct the places; `reinmaker check` finds them before anything is sent",
)
REQUEST_INVALID = _problem(
    422,
    "request-invalid",
    "Request not valid",
    "The document breaks the rules of this route; the message names the place.",
    "correct what the message names; `--help` shows what the command takes",
)
TOO_MANY_EVENTS = _problem(
    422,
    "too-many-events",
    "Not 1 to 500 events",
    "A batch has at least one event and at most 500. Nothing of it was taken.",
    "`reinmaker telemetry send` cuts a file of any length into batches",
)
MANIFEST_NOT_FOUND = _problem(
    404,
    "manifest-not-found",
    "No such manifest",
    "The server has no submission with this manifestId and version.",
    "`reinmaker list` shows what it has; check the environment",
)
WEBHOOK_NOT_FOUND = _problem(
    404,
    "webhook-not-found",
    "No such endpoint or delivery",
    "The local server has no webhook endpoint, delivery or dead letter with this id.",
    "`reinmaker webhooks endpoints list` and `reinmaker webhooks deliveries` show what it has",
)
RECEIVER_GONE = _problem(
    409,
    "receiver-gone",
    "Nobody is there to take the webhook",
    "Its endpoint is disabled, or was removed and no other has its URL. A dead letter stays one, for 14 days after it died.",
    "`reinmaker webhooks endpoints enable ID`; where it was removed: `reinmaker webhooks endpoints add URL` with its URL,"
    " then redrive",
)
SECRET_SHOWN = _problem(
    409,
    "secret-shown",
    "The secret was shown before",
    "The current signing secret of a webhook endpoint is shown once, and somebody has seen it.",
    "fetch the next one and let it take over: `reinmaker webhooks endpoints secret ENDPOINT --next`, then `webhooks rotate`",
)
NEXT_SECRET_UNFETCHED = _problem(
    409,
    "next-secret-unfetched",
    "The next secret was not fetched",
    "A signing secret takes over only once somebody has fetched it: no receiver knows it before.",
    "fetch it and give it to the receiver: `reinmaker webhooks endpoints secret ENDPOINT --next`",
)
VERSION_CONFLICT = _problem(
    409,
    "version-conflict",
    "Version exists with other content",
    "A version never changes once it was accepted. This one was submitted before, with other content.",
    'publish under a new version; `version = "auto"` chooses one',
)
VERSION_NOT_NEWER = _problem(
    409,
    "version-not-newer",
    "Version not newer than the active one",
    "Versions go forward only: by date, then by suffix.",
    'publish under a newer version; `version = "auto"` chooses one',
)
SNAPSHOT_NOT_FOUND = _problem(
    404,
    "snapshot-not-found",
    "No such snapshot",
    "The local server's data folder has no snapshot of that name.",
    "`reinmaker local snapshot --list` shows what there is",
)
SNAPSHOT_EXISTS = _problem(
    409,
    "snapshot-exists",
    "Snapshot exists",
    "There is a snapshot of that name; nothing was changed.",
    "take another name, or --replace it",
)
SNAPSHOT_UNUSABLE = _problem(
    422,
    "snapshot-unusable",
    "Snapshot cannot be used",
    "The file is damaged, is no snapshot, or was taken by a newer reinmaker. Nothing was changed.",
    "upgrade reinmaker, or take the snapshot again",
)
SNAPSHOT_FAILED = _problem(
    507,
    "snapshot-failed",
    "State could not be written",
    "The disk is full, or the data folder is not writable. The state of the server is what it was.",
    "check the data folder's free space and permissions",
)
SNAPSHOT_UNSUPPORTED = _problem(
    409,
    "snapshot-unsupported",
    "No snapshots of PostgreSQL",
    "Snapshots, restore and reset put a whole state in place, which a database that several servers use does not bear.",
    "use a server on SQLite for that; copy a PostgreSQL database with `pg_dump`, or `createdb --template`",
)
SERVER_BUSY = _problem(
    503, "server-busy", "Server busy", "The server has too much in hand just now.", "wait for Retry-After seconds"
)
SERVER_ERROR = _problem(
    500,
    "server-error",
    "Server error",
    "Something unforeseen failed at the server. Nothing was half done.",
    "try again; if it stays, report the trace id",
)

# --- errors: the command could not do it -----------------------------------------------------------------------------

USAGE = _error("usage", "the command line cannot be meant", "See the message.", "`reinmaker COMMAND --help`")
BUG = _error(
    "bug",
    "a bug in reinmaker",
    "Something happened that nobody foresaw. The traceback says where.",
    "report it with the traceback; running the command again is safe",
)
CONFIG_INVALID = _error(
    "config-invalid",
    "configuration that cannot be used",
    "A configuration file is not TOML, has an unknown or misspelt name, or a value of the wrong kind.",
    "correct the place that the message names",
)
CONFIG_UNREADABLE = _error(
    "config-unreadable",
    "configuration file that cannot be read",
    "The operating system refused to open the file, or it is not UTF-8 text.",
    "check its permissions with `ls -l`",
)
CONFIG_MISSING = _error(
    "config-missing",
    "nothing says what the manifest is",
    "The folder has no reinmaker.toml, and the flags do not make up for it.",
    "run `reinmaker init` in the folder",
)
CONFIG_EXISTS = _error(
    "config-exists",
    "reinmaker.toml is there already",
    "init writes a new file and never overwrites one.",
    "edit the file, or pass --force to replace it",
)
UNKNOWN_ENVIRONMENT = _error(
    "unknown-environment",
    "environment that nobody defined",
    "Built in are local, staging and production; more come from [env.NAME].",
    "`reinmaker config show` lists them",
)
FOLDER_NOT_FOUND = _error("folder-not-found", "no such folder or file", "The path does not exist.", "check the path")
FILE_NOT_FOUND = _error(
    "file-not-found", "no such file", "The file does not exist, or may not be opened.", "check the path"
)
FILE_TOO_LARGE = _error(
    "file-too-large",
    "file too large for a manifest or receipt",
    "A server takes a manifest of at most 64 MiB. A file of more than four times that is not read into memory.",
    "check the path; a manifest of that size must be split, by a placeholder in its `id`",
)
NOT_A_FOLDER = _error(
    "not-a-folder", "a file where a folder is needed", "The command works on an asset folder.", "name the folder"
)
INSIDE_PROJECT = _error(
    "inside-project",
    "a folder inside a project",
    "A manifest is always made from the whole folder that holds reinmaker.toml, so that it is never cut short.",
    "name the project's folder; select manifests with `--only FIELD=VALUE`",
)
FOLDER_EMPTY = _error(
    "folder-empty",
    "a folder without assets",
    "Nothing in the folder is an asset: it is empty, or all of it is ignored.",
    "`reinmaker scan --ignored` lists what was passed over",
)
NOTHING_SELECTED = _error(
    "nothing-selected",
    "--only selects no manifest",
    "No manifest of the folder has that value.",
    "`reinmaker build -o -` shows the values there are",
)
CONTENT_INVALID = _error(
    "content-invalid",
    "the content is invalid",
    "At least one finding stops the publication. Nothing was sent.",
    "correct the findings; `reinmaker explain CODE` says more of each",
)
PERSONAL_DATA = _error(
    "personal-data",
    "personal data was held back",
    "Something in the events tells, or may tell, who a player is. It has not left this machine.",
    "leave it out of the events; `--allow CODE` for a finding that is none, `--allow personal-data` for all of them",
)
CONTENT_DIFFERS = _error(
    "content-differs", "not the same", "What was compared differs; the findings say where.", "see the findings"
)
RECEIPT_INVALID = _error(
    "receipt-invalid",
    "not a receipt and not a manifest",
    "The file is neither an in-toto Statement that reinmaker wrote nor a manifest.",
    "name the file that `publish --receipt` or `build -o` wrote",
)
OUTPUT_FAILED = _error(
    "output-failed",
    "the result could not be written",
    "The file or stream refused the bytes: a full disk, no permission, or a folder that is not there.",
    "choose another place with -o",
)
SERVER_UNREACHABLE = _error(
    "server-unreachable",
    "the server cannot be reached",
    "No connection could be made, or it broke before an answer came.",
    "check the address with `reinmaker health`; locally, start one with `reinmaker serve`",
)
TLS_FAILED = _error(
    "tls-failed",
    "no safe connection",
    "The certificate is not trusted, does not fit the name, or the server does not speak TLS 1.3.",
    "behind a proxy of your own, name its certificate with `--ca-file`",
)
PLAIN_HTTP = _error(
    "plain-http",
    "http beyond this machine",
    "Secrets and tokens travel only over TLS; plain http is for loopback.",
    "use an https address",
)
ANSWER_UNUSABLE = _error(
    "answer-unusable",
    "an answer that is not the API's",
    "The server answered something that the contract does not know: a proxy's page, or another program on that port.",
    "check the address with `reinmaker config show --origin`",
)
SERVER_FAILED = _error(
    "server-failed",
    "the server failed",
    "The server answered 5xx until time ran out.",
    "run the same command again later; it continues where it stopped",
)
OUT_OF_TIME = _error(
    "out-of-time",
    "no verdict before time ran out",
    "The server accepted the manifest and was still validating.",
    "`reinmaker status ID --wait`, or run publish again: it continues",
)
LIMITED = _error(
    "limited",
    "the limit lasts longer than the time left",
    "The server asked to wait longer than --timeout allows.",
    "run the same command again later, or give a longer --timeout",
)
REJECTED = _error(
    "rejected",
    "the server rejected the manifest",
    "The server looked at the assets and found them wrong; the findings say which.",
    "correct them and publish again",
)
CREDENTIALS_MISSING = _error(
    "credentials-missing",
    "no credentials for this environment",
    "Neither the variables nor the keyring have a client id and secret for it.",
    "`reinmaker auth login --env NAME`; in CI set REINMAKER_CLIENT_ID and REINMAKER_CLIENT_SECRET",
)
CREDENTIALS_REFUSED = _error(
    "credentials-refused",
    "the issuer refused the client",
    "Client id or secret is wrong, or the secret is older than 90 days.",
    "`reinmaker auth login` with the secret that the issuer gave",
)
CREDENTIALS_UNBOUND = _error(
    "credentials-unbound",
    "variables not meant for this address",
    "The address comes from a project file, and a project file must not be able to draw your secret to itself.",
    "set REINMAKER_CLIENT_ORIGIN to the API origin if you trust it",
)
SCOPE_REFUSED = _error(
    "scope-refused",
    "the client lacks a scope",
    "The issuer knows the client, but does not grant it what the command needs.",
    "ask the issuer for the scope",
)
SECRET_UNUSABLE = _error(
    "secret-unusable",
    "a secret that cannot be read",
    "The secret is empty, or its file cannot be read.",
    "check REINMAKER_CLIENT_SECRET_FILE",
)
KEYRING_UNAVAILABLE = _error(
    "keyring-unavailable",
    "no keyring",
    "This session has no OS keyring that keeps secrets encrypted. A plain file is never used instead.",
    "set REINMAKER_CLIENT_ID and REINMAKER_CLIENT_SECRET for this run",
)
KEYRING_LOCKED = _error(
    "keyring-locked",
    "the keyring did not answer",
    "The keyring is locked or waits for a dialog that nobody sees.",
    "unlock it, or set REINMAKER_CLIENT_ID and REINMAKER_CLIENT_SECRET for this run",
)
DISCOVERY_FAILED = _error(
    "discovery-failed",
    "the issuer's metadata cannot be used",
    "The metadata document is missing, damaged, or names a token endpoint at another origin.",
    "set `token_url` in your own config.toml",
)
PYTHON_TOO_OLD = _error(
    "python-too-old",
    "Python older than 3.11",
    "reinmaker uses parts of Python that came with 3.11, and is tested with nothing older.",
    "install it anew with a newer Python: `uv tool install --python 3.12 reinmaker`",
)
TLS_TOO_OLD = _error(
    "tls-too-old",
    "TLS 1.3 cannot be spoken here",
    "Every request beyond this machine needs TLS 1.3. The library lacks it, or OpenSSL's configuration forbids it.",
    "look for MaxProtocol in the file of `openssl version -d` or of OPENSSL_CONF; else use a newer Python",
)
NO_CERTIFICATES = _error(
    "no-certificates",
    "the system trusts nobody",
    "There are no certificates to know the server by; containers without ca-certificates are like that.",
    "`apt-get install ca-certificates`, or unset SSL_CERT_FILE and SSL_CERT_DIR, or name a file with --ca-file",
)
CERTIFICATE_ENDED = _error(
    "certificate-ended",
    "a certificate that has ended",
    "The file of --ca-file holds a certificate whose last day is over; what it signed is not trusted any more.",
    "ask for the new one; of a local server, `reinmaker serve --tls` prints its file",
)
FEW_DESCRIPTORS = _error(
    "few-descriptors",
    "too few open files allowed",
    "The limit of this shell is lower than what connections and hashing need together.",
    "`ulimit -n 1024` in the same shell",
)
DISK_FULL = _error(
    "disk-full",
    "hardly any room left",
    "Manifests, receipts and the local server's database need some room.",
    "free some space, or use another --data folder",
)
KEYRING_IGNORED = _error(
    "keyring-ignored",
    "a chosen keyring is passed by",
    "Only keyrings of the operating system are used: others keep secrets in plain text, or keep nothing.",
    "unset PYTHON_KEYRING_BACKEND; in CI set REINMAKER_CLIENT_ID and REINMAKER_CLIENT_SECRET",
)
VARIABLES_IGNORED = _error(
    "variables-ignored",
    "client variables are passed by",
    "Environment `local` has the development client of the local server and nothing else.",
    "unset REINMAKER_CLIENT_ID, REINMAKER_CLIENT_SECRET and REINMAKER_CLIENT_SECRET_FILE, or choose with --env",
)
UNKNOWN_VARIABLE = _error(
    "unknown-variable",
    "a variable that nothing reads",
    "Its name begins with REINMAKER_ and belongs to no setting, so it does nothing.",
    "check its spelling with `reinmaker config show --origin`",
)
FILE_TOO_OPEN = _error(
    "file-too-open",
    "others can read a secret",
    "The file holds a client secret and the control token, and other users of the machine may read it.",
    "`chmod 600` it",
)
GIT_LFS_MISSING = _error(
    "git-lfs-missing",
    "Git LFS is needed and is not there",
    "A .gitattributes of the folder keeps files in Git LFS; without it a checkout holds pointers instead.",
    "install it (`apt-get install git-lfs`), then `git lfs install && git lfs pull`",
)
NAME_UNKNOWN = _error(
    "name-unknown",
    "the server's name leads nowhere",
    "The name service of this machine knows no address for the server.",
    "check the spelling with `reinmaker config show --origin`, then the network: `getent hosts NAME`",
)
CLOCK_SKEW = _error(
    "clock-skew",
    "this machine's clock is wrong",
    "Versions, the age of secrets, certificates and signatures of webhooks are held against this machine's clock.",
    "set the clock: `timedatectl set-ntp true`",
)
SCHEMA_DIFFERS = _error(
    "schema-differs",
    "the server has another manifest schema",
    "What `check` says here may not be what the server says: one of the two is newer.",
    "upgrade: `pip install --upgrade reinmaker`; compare with `reinmaker spec schema`",
)
VERSION_DIFFERS = _error(
    "version-differs",
    "the local server is of another version",
    "The server was started by another reinmaker than this one.",
    "start it again: stop it, then `reinmaker serve`",
)
NO_PROJECT = _error(
    "no-project",
    "no reinmaker.toml upward from here",
    "A folder without one can be published with flags only.",
    "`reinmaker init` writes one",
)
LOCAL_ONLY = _error(
    "local-only",
    "only for the local server",
    "The command uses the control API, which exists on `reinmaker serve` only.",
    "leave out --env, or use --env local",
)
NO_LOCAL_SERVER = _error(
    "no-local-server",
    "no local server's data",
    "The data folder has no client.json, so no local server was ever started with it.",
    "start one with `reinmaker serve`",
)
PORT_TAKEN = _error(
    "port-taken", "the port is taken", "Another program listens there.", "`reinmaker serve --port 0` takes a free one"
)
DATA_IN_USE = _error(
    "data-in-use",
    "a server runs with this data folder",
    "One server at a time keeps its data in a folder, and one that is running has this one.",
    "use it: `reinmaker health` says where it is; or start one that keeps nothing: `reinmaker serve --ephemeral --port 0`",
)
DATABASE_NEWER = _error(
    "database-newer",
    "a database of a newer version",
    "A newer reinmaker wrote this database; this one could damage it.",
    "upgrade reinmaker, or use another --data folder",
)
DATABASE_FAILED = _error(
    "database-failed",
    "the database cannot be used",
    "The file is damaged, not writable, or the disk is full.",
    "check the data folder, or use another with --data",
)
CLOCK_NOT_SHARED = _error(
    "clock-not-shared",
    "a virtual clock, and more than one process",
    "A clock that stands still is in the memory of one process, and several were to use it.",
    "use `--clock wall`, or one server without --workers",
)
DEAD_LETTERS_RETENTION = _error(
    "dead-letters-retention",
    "the queue forgets dead letters too soon",
    "Dead letters are kept 14 days, and the queue that `serve --dead-letters` names keeps messages for another time.",
    "give the queue a MessageRetentionPeriod of 1209600 seconds; the hint has the command",
)
DEAD_LETTERS_UNUSABLE = _error(
    "dead-letters-unusable",
    "dead letters cannot go there",
    "What `serve --dead-letters` names cannot be used: not there, not permitted, or something is missing on this machine.",
    "see the hint; without --dead-letters they stay in the server's table",
)
BUCKET_UNUSABLE = _error(
    "bucket-unusable",
    "the object store cannot be used from here",
    "The extra `s3` is not installed, or variables and files say something that cannot be: another region, a profile that"
    " is not there, plain http beyond this machine.",
    "see the hint; `reinmaker doctor` looks at all of it",
)
BUCKET_CREDENTIALS = _error(
    "bucket-credentials",
    "no credentials for the object store",
    "The store's own chain was asked, variables, files and the role of this machine, and gave none.",
    "see the hint; docs/uploading.md has them for each store",
)
BUCKET_REFUSED = _error(
    "bucket-refused",
    "the object store refuses",
    "The store answered, and said no: these credentials may not do that there, or they are not valid any more.",
    "check who you are and what you may: reading and putting objects; docs/uploading.md has the policy that is needed",
)
BUCKET_MISSING = _error(
    "bucket-missing",
    "no such bucket",
    "The store knows no bucket of that name, or keeps it from these credentials.",
    "check `url` under [manifest], and under [manifest.url_for] for this environment",
)
BUCKET_UNREACHABLE = _error(
    "bucket-unreachable",
    "no answer from the object store",
    "The network, or the store itself, failed several times in a row. What was uploaded is there, and nothing was replaced.",
    "run the same command again: what is there is passed over",
)
CONFIRMATION_NEEDED = _error(
    "confirmation-needed",
    "a yes is needed",
    "Publishing to production, or a version that lacks assets which players have now, needs a yes;"
    " nobody is there to give it.",
    "pass --yes",
)
DECLINED = _error("declined", "not done", "The question was answered with no; nothing was sent.", "run it again")
INTERRUPTED = _error(
    "interrupted",
    "interrupted",
    "A signal stopped the command; nothing new was sent after it.",
    "run the same command again: it continues",
)
UNKNOWN_CODE = _error(
    "unknown-code", "no such code", "There is no finding or error of that name.", "`reinmaker explain` lists them all"
)
WEBHOOK_NOT_VERIFIED = _error(
    "webhook-not-verified",
    "the signature does not verify",
    "The request is not one that the holder of the secret signed as it stands; the finding says why.",
    "see the finding",
)
WEBHOOK_SECRET_MISSING = _error(
    "webhook-secret-missing",
    "no signing secret",
    "The command needs the secret of the endpoint, `whsec_…`. It is no argument: arguments are seen by everybody.",
    "`export REINMAKER_WEBHOOK_SECRET=…`, or give --secret-file FILE or --secret-stdin",
)
WEBHOOK_SECRET_UNUSABLE = _error(
    "webhook-secret-unusable",
    "not a signing secret",
    "A signing secret is `whsec_` and the base64 of 24 to 64 bytes.",
    "copy it anew from where it was shown; several, newest first, stand with spaces or lines between",
)
CAPTURE_UNREADABLE = _error(
    "capture-unreadable",
    "not a captured request",
    "A captured request is its raw text, headers, an empty line and the body, or JSON with `headers` and `body`.",
    "docs/webhooks.md shows both; the body must be the exact text, not JSON that was parsed",
)
RECEIVER_DIFFERS = _error(
    "receiver-differs",
    "the receiver does not do what the contract asks",
    "At least one answer was not the one that deliveries need; each finding says which.",
    "correct the receiver, then `reinmaker webhooks probe` again",
)
NOTHING_RECEIVED = _error(
    "nothing-received",
    "not enough events came in time",
    "`webhooks listen` was told to wait for events, and --deadline passed before they came.",
    "look where they are: `reinmaker webhooks deliveries`",
)
PARTLY_DONE = _error(
    "partly-done",
    "some manifests are through and some are not",
    "At least one manifest is active or unchanged, and at least one is not.",
    "correct what is said of each and run the same command again",
)
