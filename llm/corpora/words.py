"""Word lists the generated corpora share. Every object is harmless."""

FIRST_NAMES = (
    "Anna", "Boris", "Clara", "David", "Elena", "Felix", "Greta", "Hugo", "Iris", "Jonas", "Kira",
    "Leon", "Maria", "Nils", "Olga", "Pavel", "Rosa", "Simon", "Tilda", "Victor",
)  # fmt: skip
OBJECTS = (
    "bottle", "book", "candle", "drum", "flute", "feather", "globe", "hammer", "jar", "kite",
    "lamp", "map", "needle", "mirror", "pencil", "quilt", "ribbon", "spoon", "ticket", "violin",
    "vase", "whistle", "basket", "coin",
)  # fmt: skip
PEOPLE = (
    "guard", "teacher", "neighbour", "librarian", "driver", "cook", "gardener", "clerk", "doctor",
    "painter",
)  # fmt: skip
PLACES = (
    "garden", "kitchen", "library", "museum", "station", "school", "market", "harbour", "tower",
    "attic",
)  # fmt: skip
CITIES = (
    "Arvale", "Brindon", "Calmora", "Dunreth", "Eskby", "Farholm", "Gildern", "Hartmoor", "Ilmara",
    "Jorvale", "Kelby", "Lindra", "Morvan", "Norwick", "Ostrava", "Pelham",
)  # fmt: skip
COLOURS = ("red", "blue", "green", "white", "black", "yellow", "brown", "grey")
FAMILY_NAMES = (
    "Adler", "Brook", "Crane", "Dorn", "Elm", "Frost", "Gray", "Hill", "Ives", "Jung", "Kral",
    "Lund",
)  # fmt: skip
