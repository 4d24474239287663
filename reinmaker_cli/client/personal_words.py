"""The words by which a member's name gives personal data away, in English, Spanish and French, without accents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

Kind = Literal["name", "email", "phone", "birth date", "address"]

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a member's name says."""

    kind: Kind | None = None
    """Of the data, wherever the member stands."""
    weak_kind: Kind | None = None
    """Of the data, where a person is meant."""
    is_person: bool = False
    """Its members are those of a person."""


@lru_cache(maxsize=4096)
def read_name(name: str) -> Reading:
    """Return what a member's name says, in any spelling: camelCase, snake_case, kebab-case, CAPITALS, accents."""
    words = words_of(name)
    # Where nothing says whose they are, an event's own members are taken for those of the player.
    is_person = not _PEOPLE.isdisjoint(words) or not _ANYBODY.isdisjoint(words)
    if not words or words[-1] in _ABOUT:
        return Reading(is_person=is_person)
    return Reading(_kind(words), _ALONE.get(words[0]) if len(words) == 1 else None, is_person)


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a member's name: lower case, without accents, in the singular."""
    plain = name if name.isascii() else unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return tuple(_singular(word.lower()) for word in _WORDS.findall(plain))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _kind(words: tuple[str, ...]) -> Kind | None:
    if joined := _JOINED.get("".join(words)):
        return joined
    for length in range(min(4, len(words)), 1, -1):
        for start in range(len(words) - length + 1):
            if found := _PHRASES.get(words[start : start + length]):
                return found
    # The last word tells more than the first: `phoneOwnerEmail` is an e-mail address.
    for word in reversed(words):
        if word in _ANYWHERE:
            return _ANYWHERE[word]
    if _PEOPLE.isdisjoint(words):
        return None
    return next((_OF_PEOPLE[word] for word in words if word in _OF_PEOPLE), None)


def _phrases(text: str) -> Iterator[tuple[str, ...]]:
    for phrase in text.split(","):
        yield tuple(_singular(word) for word in phrase.split())


def _words(text: str) -> frozenset[str]:
    return frozenset(_singular(word) for word in text.split())


def _table(lists: Mapping[Kind, str]) -> dict[str, Kind]:
    return {word: kind for kind, text in lists.items() for word in _words(text)}


_PEOPLE: Final = _words(
    "child kid baby son daughter player gamer learner student pupil user person people parent mother"
    " father mom mum dad guardian family sibling brother sister friend teacher tutor customer contact owner"
    " author account profile"
    " nino nina hijo hija jugador jugadora alumno alumna estudiante usuario usuaria persona padre madre tutora"
    " maestro maestra profesor profesora familia amigo amiga hermano hermana cliente contacto cuenta perfil"
    " enfant fils fille joueur joueuse eleve etudiant etudiante utilisateur utilisatrice personne pere mere"
    " famille ami amie frere soeur professeur maitre maitresse client compte profil"
)
_ANYBODY: Final = _words("properties data payload context params extra details attributes")
"""Members that only hold others: what stands in them may be anybody's."""

_ANYWHERE: Final = _table(
    {
        "name": "surname forename nickname username apellido apodo prenom surnom",
        "email": "email mail correo courriel",
        "phone": "phone telephone cellphone msisdn whatsapp fax telefono celular",
        "birth date": "birthday birthdate birth dob cumpleanos nacimiento naissance",
        "address": "address addresses postcode zipcode postal direccion direcciones domicilio adresse domicile",
    }
)
"""A member with one of these words in its name is a finding wherever it stands."""

_ALONE: Final = _table(
    {
        "name": "name nombre nom initials iniciales initiales",
        "phone": "tel movil",
        "birth date": "born anniversaire",
        "address": "street zip calle rue",
    }
)
"""These say it only as the whole name, and where a person is meant: a level has a name, too."""

_OF_PEOPLE: Final = {**_ALONE, **_table({"phone": "mobile cell portable", "address": "home"})}
"""These say it together with a word for a person: `parentMobile`, `nombreDelNino`."""

_PHRASE_LISTS: Final[Mapping[Kind, str]] = {
    "name": "first name,last name,full name,middle name,given name,family name,maiden name,real name,legal name,"
    "nick name,nombre completo,primer nombre,segundo nombre,nombre pila,nombre de pila,nom complet,"
    "nom de famille,nom famille,nom de jeune fille",
    "email": "e mail,correo electronico,adresse mail,email address",
    "phone": "phone number,mobile number,cell number,cell phone,mobile phone,numero telefono,numero de telefono,"
    "numero movil,numero de telephone,numero telephone",
    "birth date": "date of birth,birth date,birth day,birth year,year of birth,born on,born at,fecha de nacimiento,"
    "fecha nacimiento,date de naissance,date naissance",
    "address": "zip code,post code,postal code,street name,street number,street address,house number,home town,"
    "codigo postal,code postal,ip address",
}
_PHRASES: Final = {phrase: kind for kind, text in _PHRASE_LISTS.items() for phrase in _phrases(text)}
"""These words one after the other; `_JOINED` is for those who write them as one, `firstname`."""

_JOINED: Final[dict[str, Kind]] = {
    **{person + word: kind for person in _PEOPLE for word, kind in (_ALONE | _ANYWHERE).items()},
    **{"".join(phrase): kind for phrase, kind in _PHRASES.items()},
}

_ABOUT: Final = _words(
    "count type kind model os brand maker version length size verified valid sent opened clicked status"
    " enabled allowed consent orientation screen width height locale language lang"
    " tipo modelo marca cantidad estado modele marque etat"
)
"""What is counted or described is not the thing itself: `emailCount`, `phoneModel`, `addressType`."""
