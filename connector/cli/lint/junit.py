"""A report as JUnit's XML, which build servers show as tests: one for each class that was found, and one that always is
there, so that a clean run is no empty one."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from connector.cli.lint.report import Source, events
from connector.core.lint.findings import Finding, Report, Severity

_ALL = "every event can be posted"


def junit(source: Source, report: Report, *, strict: bool) -> str:
    """What would be refused has failed; what looks wrong too where `strict`, or else passed and says so."""
    failed = [each for each in report.findings if strict or each.severity is Severity.REFUSED]
    tests, failures = len(report.findings) + 1, len(failed) + (report.refused > 0)
    root = Element("testsuites", name="connector lint", tests=str(tests), failures=str(failures))
    suite = SubElement(
        root, "testsuite", name=source.name, tests=str(tests), failures=str(failures), errors="0", skipped="0"
    )
    case = SubElement(suite, "testcase", classname="connector lint", name=_ALL)
    if report.refused:
        SubElement(case, "failure", message=f"{report.refused} of {report.records} would be refused")
    for finding in report.findings:
        case = SubElement(suite, "testcase", classname=f"connector lint.{finding.severity}", name=_name(finding))
        told = SubElement(case, "failure" if finding in failed else "system-out")
        told.text = _text(finding)
        if finding in failed:
            told.set("message", f"{events(finding.events)}: {finding.text}")
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True)


def _name(finding: Finding) -> str:
    return f"{finding.rule} in {finding.field}"


def _text(finding: Finding) -> str:
    places = ", ".join(map(str, finding.places))
    return f"{events(finding.events)}: {finding.text}\nremedy: {finding.remedy}\nfirst: {places}"
