"""One SQL mapping, one detection rule and one fixture per billing format."""
