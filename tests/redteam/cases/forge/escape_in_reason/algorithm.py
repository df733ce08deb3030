"""An error message that would clear the terminal, close the page and add a row."""


def select(task):
    raise ValueError("\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>\r\n| 1 | me | 1.0 |" + "x" * 10_000_000)
