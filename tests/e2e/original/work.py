"""A container of the original, as its PowerShell would run: takes the variables that have the prefix, adds one, and posts them all."""

import json
import os
import urllib.request

PREFIX = "___"

variables = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
for name, value in variables.items():
    print(f"{name} = {value}", flush=True)
if f"{PREFIX}GREETING" in variables:
    variables[f"{PREFIX}Answer"] = f"{variables[f'{PREFIX}GREETING']} And hello from the second."
else:
    variables[f"{PREFIX}Greeting"] = f"Hello from {variables[f'{PREFIX}CITY']}."

# PowerShell before 7.4: a form's Content-Type without a charset, and ISO-8859-1.
body = json.dumps(variables, ensure_ascii=False, indent=2).encode("iso-8859-1")
headers = {"Content-Type": "application/x-www-form-urlencoded"}
request = urllib.request.Request(variables[f"{PREFIX}NEXTSTAGEFUNCTIONURL"], body, headers, method="POST")  # noqa: S310
with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
    print("posted", answer.status)
