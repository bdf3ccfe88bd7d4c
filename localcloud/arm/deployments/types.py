"""The types of parameters and outputs."""

# ARM's types: how it writes them in answers, and what JSON they take.
TYPES = {
    "string": ("String", "string"),
    "securestring": ("SecureString", "string"),
    "int": ("Int", "int"),
    "bool": ("Bool", "bool"),
    "object": ("Object", "object"),
    "secureobject": ("SecureObject", "object"),
    "array": ("Array", "array"),
}
