import sys


def select(task):
    sys.stdout.buffer.write(
        b"\x1b[2J\x1b[31mred\x1b]0;title\x07\x1b]52;c;c3RvbGVu\x07\x9b2J\x00\x08\x7f\xff\xfe \xe2\x80\xae evil \x1bP+q544e\x1b\\ end\n"
    )
    return [3]
