"""What every error message must look like."""


def assert_house_form(message: str) -> None:
    """`subject: expected X, got Y. Do: Z.` in one line."""
    assert "\n" not in message and "\r" not in message, message
    expected, got, advice = message.find("expected "), message.find(" got "), message.find(" Do: ")
    assert 0 < expected < got < advice, message
    assert message.endswith("."), message
