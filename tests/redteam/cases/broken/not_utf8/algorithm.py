# the test writes bytes here that are no text
