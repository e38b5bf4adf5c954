"""How the table of a comparison is laid out."""

from skensir.comparison.text import Row, format_table


def test_table_is_aligned_and_marks_the_best_but_not_the_oracle():
    rows = [Row("a", 31.0, 0.5), Row("bb", 31.0001, 0.9), Row("c", 9.0, 0.7, 12.0, 0.5)]
    text = format_table([*rows, Row("Oracle", 40.0, 0.95)])
    lines = text.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len({line.index(".") for line in lines[1:]}) == 1
    a, b, c, oracle = (line.split() for line in lines[1:])
    assert a == ["a", "31.000*", "0.5000", "-", "-"]
    assert b == ["bb", "31.000*", "0.9000*", "-", "-"]
    assert c == ["c", "9.000", "0.7000", "12.00", "0.50"]
    assert oracle == ["Oracle", "40.000", "0.9500", "-", "-"]
