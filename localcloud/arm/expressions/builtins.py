"""All the functions that need nothing from a deployment."""

from localcloud.arm.expressions.catalog import Catalog
from localcloud.arm.expressions.collections import COLLECTIONS
from localcloud.arm.expressions.encoding import ENCODING
from localcloud.arm.expressions.lambdas import LAMBDAS
from localcloud.arm.expressions.logic import LOGIC
from localcloud.arm.expressions.loops import Loops
from localcloud.arm.expressions.numbers import NUMBERS
from localcloud.arm.expressions.strings import STRINGS

# Outside every loop `copyIndex` is known, and refused with ARM's own words.
BUILTINS = Catalog(STRINGS | COLLECTIONS | NUMBERS | LOGIC | ENCODING | LAMBDAS | Loops().functions())
