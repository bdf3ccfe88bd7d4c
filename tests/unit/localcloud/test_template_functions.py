"""Each function of templates: the examples of its documentation, what the genuine engine was seen to give, and the edges."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.arm.expressions import Evaluator, ExpressionError
from localcloud.arm.expressions.builtins import BUILTINS
from tests.unit.localcloud.test_template_scope import scope

# The functions that issue 5 names.
NAMED = """
parameters variables concat format toLower toUpper replace split join substring trim startsWith endsWith contains indexOf length empty
first last take skip union intersection createObject createArray items filter map sort reduce lambda range min max add sub mul div mod int
string bool json null if and or not equals less greater coalesce tryGet base64 base64ToString base64ToJson uri uriComponent
uriComponentToString dataUri dataUriToString guid uniqueString newGuid utcNow dateTimeAdd resourceGroup subscription tenant deployment
environment reference listKeys resourceId subscriptionResourceId tenantResourceId extensionResourceId managementGroupResourceId copyIndex
""".split()  # noqa: SIM905

BY_AGE = "lambda('a', 'b', less(lambdaVariables('a').age, lambdaVariables('b').age))"
DOGS = (
    "createArray(createObject('name', 'Evie', 'age', 5), createObject('name', 'Casper', 'age', 3), createObject('name', 'Kira', 'age', 8))"
)


@pytest.mark.parametrize("name", NAMED)
def test_a_function_that_is_promised_is_known(name: str) -> None:
    made = scope({"parameters": {"p": {"type": "string", "defaultValue": "x"}}}).evaluator
    only_defaults = {"newGuid", "utcNow"}
    if name in only_defaults:
        assert made.expand("[parameters('p')]") == "x"
        source = {"parameters": {"p": {"type": "string", "defaultValue": f"[{name}()]"}}}
        assert scope(source).parameters.value("p")
        return
    try:
        made.expand(f"[{name}()]")
    except ExpressionError as error:
        assert "is not valid. Please see https://aka.ms/arm-functions" not in str(error)  # noqa: PT017


VALUES: list[tuple[str, Any]] = [
    # strings
    ("base64('one, two, three')", "b25lLCB0d28sIHRocmVl"),
    ("base64('é😀')", "w6nwn5iA"),
    ("base64ToString('b25lLCB0d28sIHRocmVl')", "one, two, three"),
    ("base64ToJson(base64('{''one'': ''a'', two: \"b\"}'))", {"one": "a", "two": "b"}),
    ("concat('prefix', '-', 1, true(), null())", "prefix-1True"),
    ("concat(createArray('1-1', '1-2'), createArray('2-1'))", ["1-1", "1-2", "2-1"]),
    ("concat('')", ""),
    ("contains('OneTwoThree', 'e')", True),
    ("contains('OneTwoThree', 'z')", False),
    ("contains('FOOBAR', 'foo')", False),
    ("contains(createObject('one', 'a'), 'ONE')", True),
    ("contains(createObject('one', 'a'), 'a')", False),
    ("contains(createArray('one', 'two'), 'two')", True),
    ("contains(createArray('one', 'two'), 'TWO')", False),
    ("contains(createArray(1, 2), '1')", False),
    ("contains(createArray(createObject('a', 1)), createObject('a', 1))", True),
    ("endsWith('abcdef', 'F')", True),
    ("endsWith('', '')", True),
    ("endsWith('abcdef', 'e')", False),
    ("startsWith('abcdef', 'AB')", True),
    ("startsWith('abcdef', '')", True),
    ("first('One Two Three')", "O"),
    ("first('')", ""),
    ("first(createArray())", None),
    ("last('One Two Three')", "e"),
    ("last('')", ""),
    ("last(createArray('one', 'three'))", "three"),
    ("indexOf('test', 't')", 0),
    ("indexOf('abcdef', 'CD')", 2),
    ("indexOf('abcdef', 'z')", -1),
    ("indexOf('', '')", 0),
    ("indexOf('😀b', 'B')", 2),
    ("indexOf(createArray('FOO', 'BAR'), 'BAR')", 1),
    ("indexOf(createArray('FOO', 'BAR'), 'bar')", -1),
    ("indexOf(createArray('FOO', 'BAR'), false())", -1),
    ("lastIndexOf('test', 't')", 3),
    ("lastIndexOf('abcdef', 'AB')", 0),
    ("lastIndexOf('abcdef', '')", 5),
    ("lastIndexOf('', '')", 0),
    ("lastIndexOf(createArray('a', 'b', 'a'), 'a')", 2),
    ("length('One Two Three')", 13),
    ("length('😀')", 2),
    ("length(createArray('one', 'two', 'three'))", 3),
    ("length(createObject('propA', 'one', 'propB', 2))", 2),
    ("padLeft('123', 10, '0')", "0000000123"),
    ("padLeft(13, 5)", "   13"),
    ("padLeft('123', 2, '0')", "123"),
    ("replace('123-123-1234', '-', '')", "1231231234"),
    ("replace('123-123-1234', '1234', 'xxxx')", "123-123-xxxx"),
    ("replace('aAa', 'a', 'b')", "bAb"),
    ("skip('one two three', 4)", "two three"),
    ("skip('one two three', -100)", "one two three"),
    ("skip('one two three', 100)", ""),
    ("skip(createArray('one', 'two', 'three'), 2)", ["three"]),
    ("take('one two three', 2)", "on"),
    ("take('one two three', -100)", ""),
    ("take('one two three', 100)", "one two three"),
    ("take(createArray('one', 'two', 'three'), 2)", ["one", "two"]),
    ("split('one,two,three', ',')", ["one", "two", "three"]),
    ("split('one;two,three', createArray(',', ';'))", ["one", "two", "three"]),
    ("split('', '')", [""]),
    ("split('a,,b,', ',')", ["a", "", "b", ""]),
    ("split('a--b-c', createArray('-', '--'))", ["a", "b", "c"]),
    ("join(createArray('I', 'love', 'Bicep'), ' ')", "I love Bicep"),
    ("join(createArray(1, true()), ',')", "1,True"),
    ("string(createObject('valueA', 10, 'valueB', 'Example Text'))", '{"valueA":10,"valueB":"Example Text"}'),
    ("string(createArray('a', 'b', 'c'))", '["a","b","c"]'),
    ("string(5)", "5"),
    ("string(true())", "True"),
    ("string(null())", ""),
    ("string(json('[1.5, 3.0, null]'))", "[1.5,3.0,null]"),
    ("substring('one two three', 4, 3)", "two"),
    ("substring('abc', 3)", ""),
    ("substring('abc', 1, 0)", ""),
    ("toLower('One Two Three')", "one two three"),
    ("toUpper('ßé')", "ßÉ"),
    ("trim('    one two three   ')", "one two three"),
    ("uniqueString('hello', 'world')", "a7wkljktk6wne"),
    ("uniqueString('snap', 'crackle', 'pop')", "byghxckddilkc"),
    ("guid('foo', 'bar', 'baz')", "2ed86837-7c7c-5eaa-9864-dd077fd19b0d"),
    ("format('{0}/{1}/{2}/{3}', 1, 2, 3, true())", "1/2/3/True"),
    ("join(createArray('abc', 123, true()), '/')", "abc/123/True"),
    ("padLeft('00', 5, ' ')", "   00"),
    ("guid('asdf')", "228d27cc-6fdb-5934-b7ac-1efccebade04"),
    # format
    ("format('{0}, {1}. Formatted number: {2:N0}', 'Hello', 'User', 8175133)", "Hello, User. Formatted number: 8,175,133"),
    (
        "format('>{0}<>{1}<>{2}<>{3}<>{4}<', false(), 12948, 'hello!', createObject('a', 'b', '!c', 2), createArray(true(), 2893, 'abc'))",
        ">False<>12948<>hello!<>{'a':'b','!c':2}<>[true,2893,'abc']<",
    ),
    ("format('{{{0}}}', 1)", "{1}"),
    ("format('{0,5}|{0,-5}|', 'ab')", "   ab|ab   |"),
    ("format('{0:D5}|{0:X}|{0:x4}|{0:F1}|{0:N2}|{0:P0}|{0:E1}|{0:G}', 42)", "00042|2A|002a|42.0|42.00|4,200 %|4.2E+001|42"),
    ("format('{0:000}|{0:#,##0.00}|{0:0.0#}|{0:##}', 1234)", "1234|1,234.00|1234.0|1234"),
    ("format('{0:00}|{1:D3}|{1:X}', 7, -7)", "07|-007|FFFFFFFFFFFFFFF9"),
    ("format('{0:N1}|{0}', json('2.25'))", "2.3|2.25"),
    ("format('x')", "x"),
    # arrays and objects
    ("array(1)", [1]),
    ("array('efgh')", ["efgh"]),
    ("array(createObject('a', 'b'))", [{"a": "b"}]),
    ("array(createArray(1))", [1]),
    ("createArray()", []),
    ("createArray('a', 1, createObject())", ["a", 1, {}]),
    ("createObject('intProp', 1, 'nested', createObject('key1', 'value1'))", {"intProp": 1, "nested": {"key1": "value1"}}),
    ("empty(createArray())", True),
    ("empty(createObject())", True),
    ("empty('')", True),
    ("empty('abc')", False),
    ("empty(null())", True),
    ("flatten(createArray(createArray('one', 'two'), createArray(createArray('three'))))", ["one", "two", ["three"]]),
    ("intersection(createObject('one', 'a', 'two', 'b'), createObject('one', 'a', 'two', 'z'))", {"one": "a"}),
    ("intersection(createArray('one', 'two', 'three'), createArray('two', 'three'))", ["two", "three"]),
    ("union(createArray('one', 'two', 'three'), createArray('three', 'four'))", ["one", "two", "three", "four"]),
    ("union(createObject('one', 'a', 'three', 'c1'), createObject('three', 'c2'))", {"one": "a", "three": "c2"}),
    (
        (
            'union(json(\'{"property": {"one": "a", "three": "c1"}, "nestedArray": [1, 2]}\'),'
            ' json(\'{"property": {"three": "c2", "four": "d"}, "nestedArray": [3, 4]}\'))'
        ),
        {"property": {"one": "a", "three": "c2", "four": "d"}, "nestedArray": [3, 4]},
    ),
    ("union(createObject('A', 1), createObject('a', 2))", {"A": 2}),
    ("union(createArray(1, true()), createArray(true(), 1))", [1, True]),
    ("distinct(createArray('a', 'b', 'a', 1, '1', 1))", ["a", "b", 1, "1"]),
    ("items(createObject('item002', 2, 'item001', 1))", [{"key": "item001", "value": 1}, {"key": "item002", "value": 2}]),
    ("objectKeys(createObject('b', 1, 'a', 2))", ["a", "b"]),
    ("shallowMerge(createArray(createObject('a', 123), createObject('b', 456), createObject('A', 1)))", {"a": 1, "b": 456}),
    ("range(5, 3)", [5, 6, 7]),
    ("range(-1, 2)", [-1, 0]),
    ("range(0, 0)", []),
    ("max(createArray(0, 3, 2, 5, 4))", 5),
    ("min(0, 3, 2, 5, 4)", 0),
    ("indexFromEnd(createArray('a', 'b', 'c'), 1)", "c"),
    ("tryIndexFromEnd(createArray('a', 'b', 'c'), 4)", None),
    ("tryIndexFromEnd(createArray('a', 'b', 'c'), 3)", "a"),
    ("tryIndexFromEnd(null(), 1)", None),
    ("tryGet(createObject('a', createObject('b', 1)), 'A', 'b')", 1),
    ("tryGet(createObject('a', 1), 'x', 'y')", None),
    ("tryGet(createArray(1), 1)", None),
    ("tryGet(null(), int('boom'))", None),
    ("tryGet(createObject('a', createArray(1, 2)), 'a', createObject('value', 1, 'fromEnd', true()))", 2),
    ("tryGet(createArray(1, 2), createObject('value', 0, 'fromEnd', true()))", None),
    ("tryGet(createArray(1, 2), createObject('value', 1, 'fromEnd', false()))", 2),
    ("coalesce(tryGet(createObject(), 'a'), 'default')", "default"),
    # JSON
    ("json('null')", None),
    ('json(\'{"a": "b"}\').a', "b"),
    ("json('\"test\"')", "test"),
    ("json('true')", True),
    ("json('3')", 3),
    ("json('1.5')", 1.5),
    ("json('[1,2,3]')", [1, 2, 3]),
    ("json(concat('{\"a\": \"', 'demo value', '\"}'))", {"a": "demo value"}),
    ("json('{''a'': ''it\\''s'', b: [1, /* two */ 2,], // end\n}')", {"a": "it's", "b": [1, 2]}),
    ("json('\"\\ud83d\\ude00\"')", "😀"),
    # numbers
    ("add(5, 3)", 8),
    ("sub(7, 3)", 4),
    ("mul(5, 3)", 15),
    ("div(8, 3)", 2),
    ("div(-7, 2)", -3),
    ("mod(7, 3)", 1),
    ("mod(-7, 3)", -1),
    ("int('4')", 4),
    ("int(' -4 ')", -4),
    ("int(json('4.7'))", 4),
    ("float('3.0')", 3.0),
    ("float(3)", 3.0),
    ("string(float('1e21'))", "1E+21"),
    ("string(float('0.00001'))", "1E-05"),
    ("string(float('3.0'))", "3"),
    ("string(float('-0.5'))", "-0.5"),
    # comparison and logic
    ("coalesce(null(), null(), 'default')", "default"),
    ("coalesce(null(), null())", None),
    ("coalesce('', 'x')", ""),
    ("equals(createArray('a', 'b'), createArray('a', 'b'))", True),
    ("equals(createObject('a', 'b'), createObject('a', 'b'))", True),
    ("equals('a', 'A')", False),
    ("equals(1, '1')", False),
    ("equals(null(), null())", True),
    ("equals(1, json('1.0'))", False),
    ("less(1, 2)", True),
    ("less('A', 'a')", False),
    ("greater('A', 'a')", True),
    ("greater('b', 'A')", True),
    ("lessOrEquals(2, 2)", True),
    ("greaterOrEquals(1, 2)", False),
    ("less(json('1.5'), 2)", True),
    ("and(bool('true'), bool('false'))", False),
    ("or(bool('true'), bool('false'))", True),
    ("not(bool('true'))", False),
    ("if(equals('a', 'a'), 'yes', 'no')", "yes"),
    ("bool(1)", True),
    ("bool(0)", False),
    ("bool('TRUE')", True),
    ("and(false(), bool('boom'))", False),
    ("if(false(), int('boom'), 1)", 1),
    # lambdas
    (
        f"map(filter({DOGS}, lambda('dog', greaterOrEquals(lambdaVariables('dog').age, 5))), lambda('d', lambdaVariables('d').name))",
        ["Evie", "Kira"],
    ),
    ("filter(range(0, 10), lambda('i', equals(0, mod(lambdaVariables('i'), 2))))", [0, 2, 4, 6, 8]),
    ("filter(createArray('a', 'b', 'c'), lambda('x', 'i', equals(0, mod(lambdaVariables('i'), 2))))", ["a", "c"]),
    (f"map({DOGS}, lambda('dog', format('Hello {{0}}!', lambdaVariables('dog').name)))", ["Hello Evie!", "Hello Casper!", "Hello Kira!"]),
    ("map(createArray('a', 'b'), lambda('x', 'i', concat(lambdaVariables('X'), lambdaVariables('i'))))", ["a0", "b1"]),
    ("map(createArray(1, 2), lambda('x', map(createArray(3), lambda('y', add(lambdaVariables('x'), lambdaVariables('y'))))))", [[4], [5]]),
    ("map(createArray(1), lambda(2))", [2]),
    (
        f"reduce(map({DOGS}, lambda('d', lambdaVariables('d').age)), 1, lambda('c', 'n', add(lambdaVariables('c'), lambdaVariables('n'))))",
        17,
    ),
    (
        (
            "reduce(createArray('abc', 'def', 'ghi'), '', lambda('c', 'n', 'i', if(equals(0, mod(lambdaVariables('i'), 2)), "
            "concat(lambdaVariables('c'), lambdaVariables('n')), lambdaVariables('c'))))"
        ),
        "abcghi",
    ),
    (
        f"map(sort({DOGS}, {BY_AGE}), lambda('d', lambdaVariables('d').name))",
        ["Casper", "Evie", "Kira"],
    ),
    (
        "toObject(createArray('a', 'b'), lambda('x', lambdaVariables('x')), lambda('x', format('Hi {0}!', lambdaVariables('x'))))",
        {"a": "Hi a!", "b": "Hi b!"},
    ),
    ("toObject(createArray('a'), lambda('x', lambdaVariables('x')))", {"a": "a"}),
    ("mapValues(createObject('a', 123, 'b', 456), lambda('v', mul(lambdaVariables('v'), 2)))", {"a": 246, "b": 912}),
    ("groupBy(createArray('ab', 'cd', 'ae'), lambda('x', first(lambdaVariables('x'))))", {"a": ["ab", "ae"], "c": ["cd"]}),
    (
        "groupBy(createArray('ab', 'ae'), lambda('x', first(lambdaVariables('x'))), lambda('x', last(lambdaVariables('x'))))",
        {"a": ["b", "e"]},
    ),
    # URIs
    ("uri('http://contoso.org/firstpath', 'myscript.sh')", "http://contoso.org/myscript.sh"),
    ("uri('http://contoso.org/firstpath/', 'myscript.sh')", "http://contoso.org/firstpath/myscript.sh"),
    ("uri('http://contoso.org/firstpath/azuredeploy.json', 'myscript.sh')", "http://contoso.org/firstpath/myscript.sh"),
    ("uri('http://contoso.org/firstpath/azuredeploy.json/', 'myscript.sh')", "http://contoso.org/firstpath/azuredeploy.json/myscript.sh"),
    ("uri('https://github.com', 'Azure/bicep')", "https://github.com/Azure/bicep"),
    ("uriComponent('http://contoso.com/a b')", "http%3A%2F%2Fcontoso.com%2Fa%20b"),
    ("uriComponentToString('http%3A%2F%2Fcontoso.com%2F%zz')", "http://contoso.com/%zz"),
    ("dataUri('Hello')", "data:text/plain;charset=utf-8;base64,SGVsbG8="),
    ("dataUri(100)", "data:application/json;charset=utf-8;base64,MTAw"),
    ("dataUriToString('data:;base64,SGVsbG8sIFdvcmxkIQ==')", "Hello, World!"),
    ("dataUriToString('data:text/plain,a%20b')", "a b"),
    ("dataUriToString('data:text/plain;charset=utf8;base64,SGVsbG8=')", "Hello"),
    ("uri('https://github.com/another/repo', '/Azure/bicep')", "https://github.com/Azure/bicep"),
    ("uriComponent(' Fizz ')", "%20Fizz%20"),
    ("dataUriToString('data:application/json;charset=UTF-8;base64,MTAw')", 100),
    ("parseUri('https://contoso.org:8443/a/b?c=d').port", 8443),
    ("buildUri(createObject('scheme', 'https', 'host', 'contoso.org', 'path', 'a/b', 'query', 'c=d'))", "https://contoso.org/a/b?c=d"),
    ("like('abcdef', 'A*c*')", True),
    ("like('aXbYa', 'a*b*a')", True),
    ("like('', '***')", True),
    ("like('a', 'b')", False),
    ("like('ab', 'ab*b')", False),
    # dates
    ("dateTimeAdd('2023-01-01 00:00:00Z', 'P1Y')", "2024-01-01T00:00:00Z"),
    ("dateTimeAdd('2024-01-01 00:00:00Z', 'P1Y')", "2024-12-31T00:00:00Z"),
    ("dateTimeAdd('2023-02-01 00:00:00Z', 'P1M')", "2023-03-03T00:00:00Z"),
    ("dateTimeAdd('2024-02-01 00:00:00Z', 'P1M')", "2024-03-02T00:00:00Z"),
    ("dateTimeAdd('20200407T145314Z', '-P9D')", "2020-03-29T14:53:14Z"),
    ("dateTimeAdd('2020-04-07T14:53:14.250+02:00', 'P1WT1.5S')", "2020-04-14T14:53:15.75+02:00"),
    ("dateTimeAdd('2020-04-07T14:53:14Z', 'PT1H', 'dddd, d MMM yy h:mm tt')", "Tuesday, 7 Apr 20 3:53 PM"),
    ("dateTimeAdd('2020-04-07', 'PT0S', 'R')", "Tue, 07 Apr 2020 00:00:00 GMT"),
    ("dateTimeAdd('2020-04-07T01:00:00+02:00', 'PT0S', 'u')", "2020-04-06 23:00:00Z"),
    ("dateTimeAdd('2020-04-07', 'PT0S', 'o')", "2020-04-07T00:00:00.0000000Z"),
    ("dateTimeAdd('2020-04-07', 'PT0S', 'yyyy\\M''d''%d')", "2020Md7"),
    ("dateTimeFromEpoch(1683040573)", "2023-05-02T15:16:13Z"),
    ("dateTimeToEpoch('2023-05-02T15:16:13Z')", 1683040573),
    ("dateTimeToEpoch('2023-05-02T17:16:13.5+02:00')", 1683040573),
    # CIDR
    (
        "parseCidr('10.144.0.0/20')",
        {
            "network": "10.144.0.0",
            "netmask": "255.255.240.0",
            "broadcast": "10.144.15.255",
            "firstUsable": "10.144.0.1",
            "lastUsable": "10.144.15.254",
            "cidr": 20,
        },
    ),
    (
        "parseCidr('fdad:3236:5555::/48')",
        {
            "network": "fdad:3236:5555::",
            "netmask": "ffff:ffff:ffff::",
            "firstUsable": "fdad:3236:5555::",
            "lastUsable": "fdad:3236:5555:ffff:ffff:ffff:ffff:ffff",
            "cidr": 48,
        },
    ),
    ("cidrSubnet('10.144.0.0/20', 24, 4)", "10.144.4.0/24"),
    ("cidrSubnet('fdad:3236:5555::/48', 52, 4)", "fdad:3236:5555:4000::/52"),
    ("cidrHost('10.144.3.0/24', 0)", "10.144.3.1"),
    ("cidrHost('fdad:3236:5555:3000::/52', 4)", "fdad:3236:5555:3000::5"),
    # syntax
    ("TOLOWER('A')", "a"),
    ("createObject('a', createArray(5, 6)).A[1]", 6),
    ("createObject('a b', 1)['A B']", 1),
    ("  concat ( 'a' ,\n 'b' )  ", "ab"),
    ("'it''s'", "it's"),
    ("-9223372036854775808", -9223372036854775808),
    ("createArray(1, 2)[sub(2, 1)]", 2),
]


@pytest.mark.parametrize(("expression", "expected"), VALUES, ids=[expression[:60] for expression, _ in VALUES])
def test_a_value(expression: str, expected: Any) -> None:
    got = Evaluator().string(f"[{expression}]")
    assert got == expected
    assert type(got) is type(expected)


def test_every_function_has_an_example() -> None:
    shown = " ".join(expression for expression, _ in VALUES).lower()
    elsewhere = {"lambda", "copyindex", "fail", "true", "false", "null"}
    assert sorted(name for name in BUILTINS if f"{name}(" not in shown and name not in elsewhere) == []


REFUSALS = [
    ("concat()", "Unable to evaluate template language function 'concat'. At least one parameter should be provided."),
    ("base64(100)", "'base64' expects its parameter to be of type 'String'. The provided value is of type 'Integer'."),
    ("base64(createArray(''))", "'base64' expects its parameter to be of type 'String'. The provided value is of type 'Array'."),
    (
        "endsWith(1, 2)",
        "'endsWith' expects its parameters to be of type string and string. The provided value is of type 'Integer' and 'Integer'.",
    ),
    (
        "indexOf('a', 2)",
        "'indexOf' expects its parameters to be of type string and string. The provided value is of type 'String' and 'Integer'.",
    ),
    ("base64ToString('one', 'two')", "'base64ToString': function requires 1 argument(s) while 2 were provided."),
    ("toObject(createArray())", "'toObject': function requires between 2 and 3 argument(s) while 1 were provided."),
    ("dateTimeAdd('2020-01-01', 'PTASDIONS1D')", "The second parameter 'PTASDIONS1D' is not a valid ISO8601 Duration string."),
    ("dateTimeAdd('2020-01-01', 'P')", "not a valid ISO8601 Duration string"),
    ("dateTimeAdd('2020-13-01', 'P1D')", "The first parameter '2020-13-01' is not a valid ISO8601 DateTime string."),
    ("dateTimeAdd('9999-01-01', 'P1Y')", "The result is not a date"),
    ("dateTimeAdd('2020-01-01', 'P999999999Y')", "The result is not a date"),
    ("dateTimeAdd('2020-01-01', 'P1D', 'q')", "The format 'q' is not a valid date and time format."),
    ("dateTimeFromEpoch(9223372036854775807)", "Valid values are between"),
    ("dataUriToString('data:;foo=bar;base64,R0lGODdh')", "The provided value 'data:;foo=bar;base64,R0lGODdh' was not formatted correctly."),
    ("dataUriToString('data:;charset=klingon,a')", "The provided charset 'klingon' is not supported."),
    ("mul(9223372036854775807, 2)", "The template language function 'mul' overflowed with the operants '9223372036854775807' and '2'."),
    ("add(9223372036854775807, 1)", "'add' overflowed"),
    ("div(-9223372036854775808, -1)", "'div' overflowed"),
    ("div(1, 0)", "'div' was invoked with a divisor of zero"),
    ("mod(1, 0)", "'mod' was invoked with a divisor of zero"),
    ("add(1.5, 1)", "'add' expects its parameters to be of type int and int. The provided value is of type 'Float' and 'Integer'."),
    ("int('9223372036854775808')", "cannot convert provided value '9223372036854775808' to integer value"),
    ("int('1_000')", "cannot convert provided value '1_000'"),
    ("float('x')", "The value cannot be converted to the target type."),
    ("float('1e999')", "The value cannot be converted to the target type."),
    ("9223372036854775808", "is out of range"),
    ("less('a', 1)", "The function was invoked with values of type 'String' and 'Integer' that do not match."),
    ("less(true(), 1)", "'less' expects its parameters to be of type"),
    ("not(1)", "'not' expects its parameter to be of type 'Boolean'"),
    ("if('x', 1, 2)", "'if' expects its first parameter to be of type boolean. The provided value is of type 'String'."),
    ("and(true(), 1)", "'and' expects its parameter to be of type 'Boolean'"),
    (
        "empty(1)",
        "The template function 'empty' expects its parameter to be an object, an array, or a string.",
    ),
    (
        "first(1)",
        "The template language function 'first' expects its parameter be an array or a string. The provided value is of type 'Integer'.",
    ),
    ("length(null())", "'length' expects its parameter to be an array or a string. The provided value is of type 'Null'."),
    ("base64ToString(100)", "'base64ToString' expects its parameter to be a string. The provided value is of type 'Integer'."),
    ("createObject('a')", "expects an even number of parameters"),
    ("concat('a', createArray())", "to be literals or arrays, and not both"),
    ("substring('1234567890', 0, 11)", "The index parameter: '0', the length parameter: '11', the length of the string parameter: '10'."),
    ("substring('abc', -1)", "must refer to a location within the string"),
    ("replace('a', '', 'b')", "second parameter to be a non-empty string"),
    ("split('a', createArray(1))", "to be a string or an array of strings"),
    ("padLeft('a', -1)", "expects its second parameter to be zero or more"),
    ("padLeft('a', 5, 'xy')", "a single character"),
    ("format('{0', 1)", "the format is invalid: 'Input string was not in a correct format.'"),
    ("format('{1}', 1)", "Index (zero based) must be greater than or equal to zero"),
    ("format('{0:D}', json('1.5'))", "Format specifier was invalid."),
    ("format('{0:Q}', 1)", "the local cloud knows the styles"),
    ("json('{x')", "The template language function 'json' parameter is not valid. The provided value '{x' cannot be parsed"),
    ("json('')", "cannot be parsed"),
    ("json('NaN')", "cannot be parsed"),
    ("json('1e999')", "cannot be parsed"),
    ("json('[1] 2')", "Additional text encountered"),
    ("base64ToJson(base64('x'))", "The value cannot be converted to the target type."),
    ("range(0, 10001)", "between '0' and '10000'. The provided value is '10001'."),
    ("range(0, -1)", "The provided value is '-1'."),
    ("range(2147483647, 10)", "must be lower than or equal to 2147483647"),
    ("min()", "At least one parameter should be provided."),
    ("min(createArray())", "expects integers, or one array of integers"),
    ("union(createArray(), createObject())", "all arrays or all objects"),
    ("shallowMerge(createArray(1))", "an array of objects"),
    ("indexFromEnd(createArray(1), 2)", "array index '2' is out of bounds"),
    ("tryGet(createObject(), 1)", "'tryGet' expects its parameter to be of type 'String'"),
    ("createArray(1)[1]", "The language expression property array index '1' is out of bounds."),
    ("createObject('a', 1).b", "The language expression property 'b' doesn't exist, available properties are 'a'."),
    ("'a'.b", "The language expression property 'b' can't be evaluated."),
    ("null().b", "The language expression property 'b' can't be evaluated."),
    ("map(createArray(1), 'x')", "'map' expects parameter number 2 to be a lambda"),
    ("map('x', lambda('a', 1))", "'map' expects its parameter to be of type 'Array'"),
    ("map(createArray(1), lambda('a', 'b', 'c', 1))", "at most 2 variables"),
    ("map(createArray(1), lambda(1, 1))", "given as strings"),
    ("filter(createArray(1), lambda('a', 1))", "must give a value of type 'Boolean'. It gave one of type 'Integer'."),
    ("toObject(createArray(1), lambda('a', lambdaVariables('a')))", "must give a value of type 'String'"),
    ("lambdaVariables('a')", "The template lambda variable 'a' is not found"),
    ("lambda('a', 1)", "The template function 'lambda' is not expected at this location"),
    ("uri('github.com', 'x')", "to be a uri string. The provided value is 'github.com'."),
    ("parseUri('x')", "not an absolute URI"),
    ("buildUri(createObject())", "must have a scheme and a host"),
    ("parseCidr('10.0.0.0')", "not a valid CIDR notation"),
    ("cidrSubnet('10.0.0.0/16', 8, 0)", "must be between 16 and 32"),
    ("cidrSubnet('10.0.0.0/16', 24, 256)", "The index '256' is out of the address range."),
    ("cidrHost('10.0.0.0/30', 2)", "The index '2' is out of the address range."),
    ("fail('this cannot be')", "this cannot be"),
    ("copyIndex()", "The template function 'copyIndex' is not expected at this location. The function can only be used in a resource"),
    ("utcNow()", "The template function 'utcNow' is not expected at this location."),
    ("nonsense(1)", "The template function 'nonsense' is not valid. Please see https://aka.ms/arm-functions for usage details."),
    ("concat('a'", "Unable to parse language expression 'concat('a'': expected token 'RightParenthesis' and actual 'EndOfData'."),
    (
        "concat('a)",
        "the string constant at position '7' is not terminated. String constants must be enclosed within a pair of single quotes.",
    ),
    ("concat('a'', 'b')", "the string constant at position '15' is not terminated"),
    ("concat('a', #)", "the string character '#' at position '12' is not expected"),
    ("", "expected token 'Identifier' and actual 'EndOfData'"),
    ("concat('a') 'b'", "expected token 'EndOfData' and actual 'String'"),
]


@pytest.mark.parametrize(("expression", "words"), REFUSALS, ids=[expression[:60] for expression, _ in REFUSALS])
def test_a_refusal(expression: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        Evaluator().string(f"[{expression}]")
    assert words in str(caught.value)
