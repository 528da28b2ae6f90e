"""Decides what is sold, sent, asked and answered in the invented company."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from roundview.demo.people import ESTATE_DATE

ITEMS = tuple(
    (f"SKU-{1001 + at}", name, category, Decimal(price))
    for at, (name, category, price) in enumerate(
        (
            ("Espresso beans 1 kg", "Coffee", "18.90"), ("Filter coffee 500 g", "Coffee", "9.50"),
            ("Decaf beans 500 g", "Coffee", "11.20"), ("Drip kettle", "Equipment", "64.00"),
            ("Hand grinder", "Equipment", "79.95"), ("Paper filters, 100", "Supplies", "3.49"),
            ("Milk pitcher", "Equipment", "22.50"), ("Moka pot, 3 cups", "Equipment", "34.90"),
            ("Moka pot, 6 cups", "Equipment", "44.90"), ("Cold brew bottle", "Equipment", "27.00"),
            ("Green tea 100 g", "Tea", "8.80"), ("Earl Grey 100 g", "Tea", "6.40"),
            ("Rooibos 100 g", "Tea", "5.20"), ("Tea strainer", "Supplies", "7.90"),
            ("Stoneware mug", "Tableware", "14.00"), ("Espresso cups, four", "Tableware", "36.00"),
            ("Glass teapot", "Tableware", "29.90"), ("Sugar bowl", "Tableware", "12.50"),
            ("Descaler 250 ml", "Supplies", "6.95"), ("Cleaning brush", "Supplies", "4.20"),
            ("Espresso machine, single boiler", "Machines", "449.00"),
            ("Espresso machine, dual boiler", "Machines", "1290.00"),
            ("Burr grinder, electric", "Machines", "219.00"), ("Milk frother", "Machines", "59.90"),
            ("Scale with timer", "Equipment", "49.00"), ("Chocolate 70 %, 100 g", "Sweets", "3.90"),
            ("Almond biscuits", "Sweets", "4.75"), ("Gift box, small", "Gifts", "19.00"),
            ("Gift box, large", "Gifts", "45.00"), ("Barista course", "Courses", "120.00"),
        )
    )
)  # fmt: skip

LOCATIONS = (
    ("Berlin Mitte", "EUR", Decimal(19), 0),
    ("Hamburg Altona", "EUR", Decimal(19), 0),
    ("Zürich Enge", "CHF", Decimal("8.1"), 0),
    ("London Soho", "GBP", Decimal(20), 1),
)
"""Name, currency, tax percent, whether the tax comes on top of the prices."""

EMPLOYEES = (("Till", "Krause"), ("Nadja", "Petrova"), ("Owen", "Clarke"))
PACKAGES = ("Bronze", "Silver", "Gold")

COMPANIES = (
    "Nordlicht GmbH", "Alpenblick AG", "Harbour & Sons Ltd", "Werkstatt 12", "Kanzlei Rotbuch",
    "Studio Morgenrot", "Blue Door Ltd", "Praxis am Park", "Atelier Lumière", "Hofladen Süd",
)  # fmt: skip
ACCOUNTS = 60
"""Accounts of the CRM; each is one of COMPANIES with a number."""

TITLES = ("Office manager", "Head of purchasing", "Owner", "Assistant", "Barista", "Accountant")
BACKGROUNDS = (
    "Met at the spring fair; likes single-origin beans.",
    "Runs a small café, buys for it and for the family.",
    "Prefers to be called after 17:00.",
)
COMMENTS = (
    "Asked for a quote over two machines.",
    "Very happy with the course, wants the advanced one.",
    "Sent samples of the new roast.",
    "Invoice goes to the office, delivery to the home address.",
)
CALLS = ("Call back about the quote", "Follow-up after delivery", "Birthday call", "Renewal call")
DEALS = ("Office coffee, 12 months", "Two dual boilers", "Course for the team", "Event catering")
TILL_REMARKS = ("Parks behind the shop", "Gets the staff discount", "Allergic to nuts")

LISTS = (
    ("Newsletter", "public", "double"),
    ("Offers", "public", "single"),
    ("Roastery club", "private", "double"),
    ("Courses and events", "public", "double"),
    ("Service news", "private", "single"),
)
INTERESTS = ("espresso", "filter", "tea", "courses", "machines", "gifts")
LINKS = (
    "https://shop.example/offers", "https://shop.example/new", "https://shop.example/courses",
    "https://shop.example/recipes", "https://shop.example/unsubscribe",
)  # fmt: skip
CAMPAIGN_DATES: tuple[datetime, ...] = tuple(
    ESTATE_DATE.replace(tzinfo=None, hour=7) - timedelta(days=21 * back)
    for back in range(24, 0, -1)
)
CAMPAIGNS = tuple(
    f"{('Fresh from the roaster', 'Weekend offers', 'Learn to brew', 'Club letter')[at % 4]} "
    f"{day:%B %Y}"
    for at, day in enumerate(CAMPAIGN_DATES)
)

AGENTS = ("Maya Lindqvist", "Jonas Weber", "Priya Shah", "Tom Becker")
TICKETS = (
    ("Grinder makes a loud noise", "Since this morning it screams when I switch it on.",
     "Please send us a photo of the burrs; we will send new ones.", "Repair"),
    ("Wrong item delivered", "I ordered beans, the parcel holds tea.",
     "Sorry! The beans are on their way, keep the tea.", "Delivery"),
    ("Invoice missing", "I need the invoice for my tax return.",
     "You find it attached.", "Billing"),
    ("Card was charged twice", "The same amount stands twice on my statement.",
     "We have sent one of the two back.", "Billing"),
    ("Where is my parcel?", "It should have been here on Monday.",
     "The carrier lost it; a new one leaves today.", "Delivery"),
    ("Course is full?", "Can I get onto a waiting list for Saturday?",
     "You are number two on the list.", "Courses"),
    ("Machine leaks", "There is water under the machine after each shot.",
     "This is the gasket; a technician will call you.", "Repair"),
    ("Change of address", "We have moved, please change it everywhere.",
     "Done, the next delivery goes to the new address.", "Account"),
)  # fmt: skip
INTERNAL = (
    "Second time this month, be generous.",
    "Waiting for the workshop.",
    "Call, do not mail.",
)
REMARKS = (
    ("Nobody called me back.", "Took far too long."),
    ("Quick and friendly!", "Solved at once.", ""),
)
