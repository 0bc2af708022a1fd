"""What people call themselves, when they are up to no good: texts that must stay texts.

`{lure}` stands for the address of a server that notes who comes, `{secret}` for the path of a picture that no
report may show.
"""

__all__ = ["HUGE", "MEGABYTE", "PAYLOADS", "user_id_of"]

MEGABYTE = 1_000_000

PAYLOADS: dict[str, str] = {
    # ReportLab's own markup
    "img of a file": '<img src="{secret}" width="40" height="40"/>',
    "img of a system file": '<img src="/etc/passwd"/>',
    "img of an address": '<img src="{lure}/a.png" width="1" height="1"/>',
    "img of a file address": '<img src="file://{secret}"/>',
    "img in data": '<img src="data:image/png;base64,iVBORw0KGgo="/>',
    "link": '<a href="{lure}/b">click</a>',
    "link to script": '<a href="javascript:app.alert(1)">click</a>',
    "link to a file": '<link href="file://{secret}">click</link>',
    "link to another document": '<a href="pdf:{secret}#page=1">click</a>',
    "anchor": '<a name="top"/><a href="#top">up</a>',
    "para": '<para alignment="right" fontSize="90">big</para>',
    "para that ends ours": '</para><para><img src="{secret}"/></para>',
    "font of a file": '<font face="{secret}">x</font>',
    "giant font": '<font size="99999">x</font>',
    "onDraw": '<onDraw name="os.system" label="id"/>',
    "evalString": '<evalString>__import__("os").system("id")</evalString>',
    "seq": '<seqDefault id="x"/><seq id="x"/><seqReset id="x"/>',
    "bullet": "<bullet>&bull;</bullet>",
    "tags that never end": "<b><i><u>" * 40,
    "a tag that is cut off": '<img src="{secret}',
    # XML
    "entity of a file": '<!DOCTYPE x [<!ENTITY y SYSTEM "file://{secret}">]><x>&y;</x>',
    "entities that explode": '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;&a;">]>&b;',
    "numeric entities": "&#60;img src=&#34;{secret}&#34;/&#62; &#x0; &#xD800;",
    "CDATA": '<![CDATA[<img src="{secret}"/>]]>',
    "processing instruction": '<?xml version="1.0"?><?php system("id") ?>',
    "XMP that ends early": '</rdf:li></dc:title><pdf:x rdf:resource="{lure}/c"/>',
    # PDF
    "operators": ") Tj ET Q BT /F1 99 Tf (pwned) Tj",
    "string that ends": ")>> /OpenAction << /S /JavaScript /JS (app.alert(1)) >> (",
    "stream that ends": "endstream endobj 1 0 obj << /Type /Action /S /Launch /F (/bin/sh) >> endobj",
    "trailer": "%%EOF\ntrailer << /Root 1 0 R >>\nstartxref\n0\n%%EOF",
    "backslashes": "\\\\\\) \\( \\000 \\",
    # characters
    "NUL": "Jo\x00hn\x00",
    "control characters": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "lone surrogates": "\ud800 \udfff \udc80",
    "no characters": "\ufffe\uffff \U0001fffe \ufdd0",
    "direction marks": "\u202egnp.exe\u202c \u2066hidden\u2069 \u200f",
    "invisible": "Jo\u200bhn\u2060\ufeff\u00ad\U000e0041",
    "marks without end": "Z" + "\u0351\u0338\u20dd" * 500,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd",
    "Arabic": "\u0645\u062d\u0645\u062f \u0628\u0646 \ufdfa",
    "Devanagari": "\u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f",
    "CJK": "\u738b\u5c0f\u660e \U00020000 \uac00\ub098",
    "line separators": "a\u2028b\u2029c\x0bd\x0ce\r\nf",
    # format strings, and other languages
    "format strings": "%s %n %(x)s {0} {x.__class__} ${y} {{7*7}} #{1}",
    "SQL": "'; DROP TABLE sqr_jobs_job; --",
    "shell": "$(touch /tmp/x) `id` ; id | id",
    "paths": "../../../../etc/passwd \\\\host\\share CON.pdf",
    "headers": "x\r\nSet-Cookie: a=b\r\n\r\n<html>",
    "nothing": "",
    "blanks": " \t\u00a0\u3000 ",
}
"""By name."""

HUGE: dict[str, str] = {
    "words": "word " * (MEGABYTE // 5),
    "surrogates": "\ud800" * MEGABYTE,
    "line breaks": "\n" * MEGABYTE,
    "NULs": "\x00" * MEGABYTE,
}
"""A megabyte each."""

_NAMES = (*PAYLOADS, *HUGE)


def user_id_of(name: str) -> str:
    """Name the person who is called so; an id has no room for the text itself."""
    return f"U-{_NAMES.index(name)}"
