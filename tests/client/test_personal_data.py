"""Personal data in events: found in any spelling and at any depth, said without being repeated."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reinmaker_cli.client.event_check import check_event
from reinmaker_cli.client.event_reader import EventText
from reinmaker_cli.client.personal_data import personal_places
from reinmaker_cli.client.personal_words import words_of


def found(**properties) -> dict[str, str]:
    """Return place below the properties and kind of all that is found in them."""
    event = {"eventId": "1", "type": "t", "occurredAt": "2026-11-23T07:00:00Z", "properties": properties}
    return {place.pointer.removeprefix("/properties"): place.kind for place in personal_places(event)}


@pytest.mark.parametrize(
    ("kind", "names"),
    {
        "name": "firstName first_name FIRST_NAME first-name firstname FirstNames lastName fullName surname username"
        " childName child_name childname playerName name nickname nombre nombreCompleto apellido apellidos"
        " nombreDelNiño nombre_usuario nom prénom prenom nomDeFamille nom_de_l_enfant nomEnfant",
        "email": "email eMail e-mail E_MAIL emails parentEmail parent_email parentemail emailAddress correo"
        " correoElectronico correo_electrónico courriel adresseMail mail",
        "phone": "phone phoneNumber phone_number parentPhone telephone tel teléfono telefono número_de_teléfono"
        " numeroTelephone téléphone móvil parentMobile",
        "birth date": "birthday birthDate birth_date dateOfBirth date_of_birth DOB birthYear fechaNacimiento"
        " fecha_de_nacimiento cumpleaños dateNaissance date_de_naissance naissance",
        "address": "address homeAddress street streetName zip zipCode postcode postalCode dirección direccion"
        " codigoPostal domicilio calle adresse codePostal rue ipAddress",
    }.items(),
)
def test_names_of_members_give_personal_data_away(kind, names):
    for name in names.split():
        assert found(**{name: "x"}) == {f"/{name}": kind}, name


OTHER_NAMES = (
    "levelName screenName fileName phaseDNAId agePersona locale eventName playerId sessionId userId playerLevel"
    " microphone headphones gamepad phoneModel phoneType emailCount addressType streak mailbox rotation parentId"
    " birdName tutorial enemyName username_length nombreDePuntos nomNiveau assetName"
)


@pytest.mark.parametrize("name", OTHER_NAMES.split())
def test_names_of_other_things_do_not(name):
    assert found(**{name: "x"}) == {}


@pytest.mark.parametrize(
    ("value", "expected"), [(True, {}), (None, {}), ("", {}), ([], {}), (3, {}), ("ana", {"/parentEmail": "email"})]
)
def test_a_member_that_holds_nothing_is_no_finding(value, expected):
    assert found(parentEmail=value) == expected


def test_a_number_may_be_a_phone_number_or_a_year_of_birth():
    assert found(phone=34612345678, birthYear=2017, zip=28001) == {
        "/phone": "phone",
        "/birthYear": "birth date",
        "/zip": "address",
    }


def test_whose_name_it_is_is_said_by_what_it_stands_in():
    assert found(level={"name": "x"}, items=[{"name": "x"}]) == {}
    assert found(child={"name": "x"}, players=[{"id": 1}, {"name": "x"}], padre={"nombre": "x"}) == {
        "/child/name": "name",
        "/players/1/name": "name",
        "/padre/nombre": "name",
    }


@pytest.mark.parametrize(
    "text",
    [
        *("ana@example.com", "write to ana.b+c@mail.example.co.uk!", "<a@b.io>", "ana＠example.com", "ñandú@correo.es"),
        *("https://x.example/?u=ana%40example.com", "a@2x.png.example.com", '{"e":"ana@example.com"}'),
    ],
)
def test_an_email_address_in_a_text_is_found(text):
    assert found(note=text) == {"/note": "email"}


@pytest.mark.parametrize(
    "text",
    [
        *("+34 612 345 678", "call +1 (555) 123-4567 now", "+33612345678", "0034 612 345 678", "(555) 123-4567"),
        *("555-123-4567", "06 12 34 56 78", "06.12.34.56.78", "0612345678", "612 34 56 78", "612 345 678"),
        *("07700 900 123", "tel:555-123-4567", "+４４ 20 7946 0958"),
    ],
)
def test_a_phone_number_in_a_text_is_found(text):
    assert found(note=text) == {"/note": "phone"}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2026-11-23T07:00:00Z",
            "2026-11-23 07:00:00",
            "23.11.2026 07:00",
            "1920x1080",
            "1920 1080 60",
            "1795694400000",
        ),
        *("550e8400-e29b-41d4-a716-446655440000", "12345678-1234-1234-1234-123456789012", "192.168.10.20"),
        *("sha256:" + "0123456789" * 6, "hero@2x.png", "hero@1.5x.webp", "@ana", "a@b", "lib@1.2.3", "v1.2.3-4567"),
        *("00000612345678", "1234567890", "$ 1,234,567.89", "0.123456789", "-0.12345678901", "612345678"),
    ],
)
def test_other_texts_are_left_alone(text):
    assert found(note=text) == {}


def test_a_pseudonym_is_no_finding_unless_it_is_an_email_address():
    event = {"eventId": "0612345678", "type": "t", "userId": "usr 612 345 678", "sessionId": "ana"}
    assert list(personal_places(event)) == []
    [place] = personal_places(event | {"userId": "ana@example.com"})
    assert (place.pointer, place.kind) == ("/userId", "email")


def test_members_that_no_rule_names_leave_the_machine_too():
    [place] = personal_places({"eventId": "1", "email": "x"})
    assert place.pointer == "/email"


def test_a_pointer_never_holds_what_was_found():
    places = found(**{"ana@example.com": {"level": 1, "phone": "x"}, "a/b~c": "a@b.io"})
    assert places == {"/*": "email", "/*/phone": "phone", "/a~1b~0c": "email"}


SECRETS = st.sampled_from(["ana.secret@example.com", "+34 612 345 678", "Anastasia Secret"])
NAMES = st.sampled_from(["firstName", "note", "level", "child", "correo", "items", "x y"])
NESTED = st.recursive(
    SECRETS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | SECRETS, inner, max_size=3),
    max_leaves=8,
)


@given(event=st.dictionaries(NAMES | SECRETS | st.sampled_from(["userId", "eventId", "occurredAt"]), NESTED))
def test_no_finding_repeats_a_value(event):
    text = EventText(1, json.dumps(event).encode())
    for finding in check_event(text, "events.jsonl"):
        said = json.dumps(finding.to_json())
        assert "ana.secret" not in said and "612 345" not in said
        assert finding.pointer is None or "Anastasia" not in finding.message


@given(
    words=st.lists(st.sampled_from(["first", "name", "date", "of", "birth", "niño", "élève"]), min_size=1, max_size=4),
    spell=st.sampled_from(["camel", "snake", "kebab", "upper", "pascal"]),
)
def test_every_spelling_has_the_same_words(words, spell):
    plain = tuple(word.replace("ñ", "n").replace("é", "e").replace("è", "e") for word in words)
    written = {
        "camel": words[0] + "".join(word.capitalize() for word in words[1:]),
        "pascal": "".join(word.capitalize() for word in words),
        "snake": "_".join(words),
        "kebab": "-".join(words),
        "upper": "_".join(words).upper(),
    }[spell]
    assert words_of(written) == plain


@pytest.mark.parametrize("piece", ["a", "1", "a@", "1 ", "@", "a.", "+1 ", "0", "(1", "%40", "a@b."])
def test_no_text_takes_longer_than_its_length_explains(piece):
    text = piece * (200_000 // len(piece))
    started = time.process_time()
    found(note=text)
    assert time.process_time() - started < 60  # a tenth of a second; a search that starts over takes hours


def test_broken_json_is_said_with_line_and_column_and_without_its_text():
    [finding] = check_event(EventText(7, b'{"a": 1,\n "Ana": Ana}'), "events.jsonl")
    assert (finding.code, finding.line, finding.message) == ("not-json", 8, "expecting value, column 9")
    [finding] = check_event(EventText(7, b'{"Ana": 1, "Ana": 2}'), "events.jsonl")
    assert (finding.code, finding.message) == ("not-i-json", "the name stands twice in one object")
    [finding] = check_event(EventText(7, b"[99999999999999999999]"), "events.jsonl")
    assert finding.message == "an integer beyond ±(2^53-1)"


def test_an_allowed_code_is_a_warning_and_personal_data_names_all_of_them():
    text = EventText(1, b'{"email": "x", "firstName": "y", "eventId": ""}')
    severities = {one.code: one.severity for one in check_event(text, "f", {"personal-email"})}
    assert (severities["personal-email"], severities["personal-name"]) == ("warning", "error")
    severities = {one.code: one.severity for one in check_event(text, "f", {"personal-data"})}
    assert (severities["personal-email"], severities["personal-name"]) == ("warning", "warning")
    assert severities["event-invalid"] == "error"
