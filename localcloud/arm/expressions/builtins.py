"""All the functions that need nothing from a deployment."""

from localcloud.arm.expressions.access import ACCESS
from localcloud.arm.expressions.arrays import ARRAYS
from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.cidr import CIDR
from localcloud.arm.expressions.dates import DATES
from localcloud.arm.expressions.encoding import ENCODING
from localcloud.arm.expressions.lambdas import LAMBDAS
from localcloud.arm.expressions.logic import LOGIC
from localcloud.arm.expressions.loops import Loops
from localcloud.arm.expressions.numbers import NUMBERS
from localcloud.arm.expressions.objects import OBJECTS
from localcloud.arm.expressions.sequences import SEQUENCES
from localcloud.arm.expressions.strings import STRINGS
from localcloud.arm.expressions.uris import URIS

# Outside every loop `copyIndex` is known, and refused with ARM's own words.
BUILTINS = Catalog(
    STRINGS | SEQUENCES | ARRAYS | OBJECTS | ACCESS | NUMBERS | LOGIC | ENCODING | URIS | DATES | CIDR | LAMBDAS | Loops().functions()
)

# Given by the scope where they are allowed; ARM says so where they are not.
MISPLACED = {
    "managementgroup",
    "newguid",
    "parameters",
    "reference",
    "references",
    "resourcegroup",
    "subscription",
    "utcnow",
    "variables",
}
