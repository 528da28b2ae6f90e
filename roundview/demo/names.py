"""Decides what invented people are called and where they live."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Culture:
    """Names of one language; `script` is latin or the one its names are written in."""

    female: tuple[str, ...]
    male: tuple[str, ...]
    family: tuple[str, ...]
    script: str = "latin"


@dataclass(frozen=True, slots=True)
class Place:
    """A town with its area code (without trunk prefix) and the start of its postal codes."""

    city: str
    area: str
    postal: str


@dataclass(frozen=True, slots=True)
class Country:
    """Where people live: `names` is how systems spell it, `mobile` how mobile numbers begin.

    `mobile_length` and `landline_length` count the digits after the dial code.
    """

    dial: str
    mobile: str
    mobile_length: int
    landline_length: int
    names: tuple[str, ...]
    places: tuple[Place, ...]
    streets: tuple[str, ...]
    cultures: tuple[tuple[str, float], ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CULTURES: Mapping[str, Culture] = MappingProxyType(
    {
        "german": Culture(
            _words(
                "Anna Barbara Birgit Charlotte Christina Claudia Elisabeth Emma Eva Franziska "
                "Greta Hannah Heike Helena Ida Ingrid Johanna Julia Karin Katharina Klara Lara "
                "Laura Lea Leonie Luise Margarete Maria Marlene Martina Mathilda Mia Monika Nadine "
                "Nina Paula Petra Sabine Sandra Sarah Sophie Stefanie Susanne Theresa Ursula Zoë"
            ),
            _words(
                "Alexander Andreas Anton Benjamin Bernd Christian Christoph Daniel David Dieter "
                "Elias Emil Felix Florian Frank Friedrich Georg Heinrich Henrik Jakob Jan Johannes "
                "Jonas Jörg Josef Jürgen Karl Klaus Konstantin Leonard Lukas Martin Matthias "
                "Maximilian Michael Nikolaus Oskar Patrick Paul Peter Philipp Ralf Richard Robert "
                "Sebastian Stefan Thomas Tobias Ulrich Wolfgang"
            ),
            _words(
                "Adler Albrecht Arnold Bauer Beck Becker Berger Böhm Brandt Braun Busch Dietrich "
                "Engel Ernst Fischer Fuchs Graf Groß Günther Haas Hahn Hartmann Heinrich Herrmann "
                "Hofmann Huber Jäger Jung Kaiser Keller Klein Köhler König Krämer Kraus Krüger "
                "Kuhn Lang Lehmann Lorenz Ludwig Maier Martin Mayer Meier Meyer Müller Neumann "
                "Otto Peters Pfeiffer Pohl Richter Roth Sauer Schäfer Schmidt Schneider Scholz "
                "Schröder Schubert Schulz Schuster Schwarz Seidel Simon Sommer Stein Thomas Vogel "
                "Vogt Voigt Wagner Walter Weber Weiß Werner Winkler Winter Wolf Ziegler Zimmermann"
            ),
        ),
        "english": Culture(
            _words(
                "Alice Amelia Amy Barbara Catherine Charlotte Deborah Dorothy Elizabeth Emily "
                "Grace Hannah Helen Isla Jennifer Jessica Katherine Lucy Margaret Mary Megan "
                "Olivia Pamela Patricia Rebecca Ruby Sophie Susan Victoria"
            ),
            _words(
                "Alexander Andrew Anthony Benjamin Charles Christopher Daniel David Edward Frank "
                "Frederick George Gregory Harry Henry Jack Jacob James Jonathan Joseph Lawrence "
                "Matthew Michael Nicholas Oliver Patrick Peter Richard Robert Samuel Thomas William"
            ),
            _words(
                "Allen Baker Bell Bennett Brown Carter Clark Collins Cooper Davies Edwards Evans "
                "Foster Green Hall Harris Hill Hughes Jackson Jones King Lewis Marshall Mitchell "
                "Moore Morgan Morris Murphy Nash O'Brien O'Connor Parker Price Reed Roberts Scott "
                "Shaw Smith Taylor Turner Walker Ward Watson White Williams Wilson Wood Wright"
            ),
        ),
        "french": Culture(
            _words("Agnès Amélie Camille Chloé Élise Éva Inès Jeanne Juliette Léa Manon Zoé"),
            _words("André Bastien Clément Émile Étienne François Hugo Jérôme Léo Louis Théo Yves"),
            _words("Bernard Blanc Dubois Durand Fournier Garnier Girard Lefèvre Moreau Petit Roux"),
        ),
        "turkish": Culture(
            _words("Ayşe Defne Elif Emine Gülşen İpek Leyla Nur Özlem Şule Zeynep"),
            _words("Ahmet Barış Can Deniz Emre Hüseyin İbrahim Kemal Mehmet Okan Yiğit"),
            _words("Aydın Çelik Demir Doğan Kaya Koç Öztürk Şahin Yıldız Yılmaz"),
        ),
        "polish": Culture(
            _words("Agnieszka Beata Elżbieta Grażyna Joanna Katarzyna Magdalena Małgorzata Zofia"),
            _words("Andrzej Grzegorz Jakub Łukasz Michał Paweł Stanisław Tomasz Wojciech"),
            _words("Dąbrowski Grabowski Jabłoński Kamiński Kowalczyk Lewandowski Nowak Wójcik"),
        ),
        "arabic": Culture(
            _words("فاطمة ليلى مريم نور سارة ياسمين"),
            _words("أحمد حسن خالد محمد يوسف سامي"),
            _words("الحداد النجار الخطيب حبيب منصور صالح"),
            "arabic",
        ),
        "japanese": Culture(
            _words("花子 美咲 陽菜 結衣 さくら 葵"),
            _words("太郎 健太 翔太 大輔 蓮 悠斗"),
            _words("佐藤 鈴木 高橋 田中 渡辺 山本"),
            "han",
        ),
        "greek": Culture(
            _words("Ελένη Μαρία Κατερίνα Σοφία Άννα"),
            _words("Γιώργος Νίκος Δημήτρης Κώστας Παύλος"),
            _words("Παπαδοπούλου Οικονόμου Αγγελής Μακρής Βασιλείου"),
            "greek",
        ),
    }
)

COUNTRIES: Mapping[str, Country] = MappingProxyType(
    {
        "DE": Country(
            "49", "1525", 11, 9, ("Germany", "Deutschland", "DE"),
            (
                Place("Berlin", "30", "10"), Place("Hamburg", "40", "20"),
                Place("München", "89", "80"), Place("Köln", "221", "50"),
                Place("Frankfurt am Main", "69", "60"), Place("Leipzig", "341", "04"),
                Place("Düsseldorf", "211", "40"), Place("Nürnberg", "911", "90"),
            ),
            ("Hauptstraße", "Schulstraße", "Gartenweg", "Bahnhofstraße", "Dorfstraße",
             "Lindenallee", "Bergstraße",
             "Am Markt", "Goethestraße", "Mühlenweg", "Kirchgasse", "Ringstraße"),
            (("german", 0.82), ("turkish", 0.06), ("polish", 0.05), ("arabic", 0.03),
             ("greek", 0.02), ("japanese", 0.02)),
        ),
        "CH": Country(
            "41", "78", 9, 9, ("Switzerland", "Schweiz", "CH"),
            (Place("Zürich", "44", "80"), Place("Basel", "61", "40"), Place("Bern", "31", "30"),
             Place("Genève", "22", "12")),
            ("Seestrasse", "Dorfstrasse", "Bahnhofstrasse", "Rue du Lac", "Kirchweg"),
            (("german", 0.65), ("french", 0.3), ("turkish", 0.05)),
        ),
        "GB": Country(
            "44", "7400", 10, 10, ("United Kingdom", "Great Britain", "GB"),
            (Place("London", "20", "SW"), Place("Leeds", "113", "LS"),
             Place("Manchester", "161", "M1"), Place("Bristol", "117", "BS")),
            ("High Street", "Church Road", "Station Road", "Mill Lane", "Victoria Street"),
            (("english", 0.93), ("polish", 0.04), ("arabic", 0.03)),
        ),
        "FR": Country(
            "33", "75", 9, 9, ("France", "FR"),
            (Place("Paris", "1", "75"), Place("Strasbourg", "3", "67"), Place("Lyon", "4", "69")),
            ("Rue de la Paix", "Rue Victor Hugo", "Avenue de la Gare", "Place du Marché"),
            (("french", 0.95), ("arabic", 0.05)),
        ),
    }
)  # fmt: skip

COUNTRY_SHARES = (("DE", 0.66), ("CH", 0.15), ("GB", 0.14), ("FR", 0.05))

NICKNAMES: Mapping[str, str] = MappingProxyType(
    {
        "Alexander": "Alex", "Andreas": "Andi", "Andrew": "Andy", "Anthony": "Tony",
        "Benjamin": "Ben", "Charles": "Charlie", "Christopher": "Chris", "Christian": "Chris",
        "Christina": "Tina", "Daniel": "Dan", "Deborah": "Debbie", "Edward": "Ed",
        "Elisabeth": "Lisa", "Elizabeth": "Liz", "Frederick": "Fred", "Friedrich": "Fritz",
        "Gregory": "Greg", "Heinrich": "Heinz", "Jacob": "Jake", "James": "Jim",
        "Johannes": "Hans", "Josef": "Sepp", "Joseph": "Joe", "Katharina": "Kathrin",
        "Katherine": "Kate", "Lawrence": "Larry", "Leonard": "Leo", "Margarete": "Greta",
        "Margaret": "Maggie", "Matthew": "Matt", "Matthias": "Mathias", "Maximilian": "Max",
        "Michael": "Mike", "Nicholas": "Nick", "Nikolaus": "Klaus", "Patricia": "Pat",
        "Philipp": "Phil", "Rebecca": "Becky", "Richard": "Rick", "Robert": "Bob",
        "Thomas": "Tom", "William": "Bill",
    }
)  # fmt: skip

MAIL_DOMAINS = (
    "mail.example", "post.example", "web.example", "example.com", "example.net", "example.org",
)  # fmt: skip

_ASCII = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ı": "i", "ł": "l", "ş": "s", "ç": "c", "ğ": "g"}
)


def ascii_name(text: str) -> str:
    """Returns a name as people put it into an address: lower case, a-z, empty if it has none.

    >>> ascii_name("Schäfer"), ascii_name("太郎")
    ('schaefer', '')
    """
    plain = unicodedata.normalize("NFKD", text.lower().translate(_ASCII))
    return "".join(c for c in plain if "a" <= c <= "z")
