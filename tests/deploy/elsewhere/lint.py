"""cfn-lint, which knows every property of every resource, in this process. Used by the tests of templates."""

from __future__ import annotations


def lint(template: str, region: str = "eu-west-1") -> list[str]:
    """What it says of a template, warnings and notes included. Importing it takes a second."""
    from cfnlint import ManualArgs
    from cfnlint.api import lint as checked

    found = checked(template, config=ManualArgs(regions=[region], include_checks=["I"]))
    return [f"{each.rule.id} {each.message}" for each in found]
