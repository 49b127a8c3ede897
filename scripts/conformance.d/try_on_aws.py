"""Do the assumptions hold on an AWS account? Asks, makes one throw-away function with a random name, checks, and deletes what it made.

    try_on_aws.py [--yes] [--endpoint-url URL] [--region REGION] [--profile NAME] [--simulated] [NAME OF AN ASSUMPTION ...]
"""

import argparse
import secrets
import signal
import sys
import traceback

import boto3

import assumptions


class Account:
    """An account, as boto3 sees it with the caller's own credentials."""

    def __init__(self, options):
        self.session = boto3.session.Session(profile_name=options.profile, region_name=options.region)
        self.client = lambda service: self.session.client(service, endpoint_url=options.endpoint_url)
        self.functions, self.alarms, self.logs = self.client("lambda"), self.client("cloudwatch"), self.client("logs")


def read():
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/try-on-aws", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--endpoint-url", help="another AWS than the real one")
    parser.add_argument("--region")
    parser.add_argument("--profile")
    parser.add_argument("--simulated", action="store_true", help="make no roles and no state machine: `canaryctl simulate` knows neither")
    known = [one.__name__ for one in assumptions.ALL]
    parser.add_argument("only", nargs="*", metavar="ASSUMPTION", help=f"one of {', '.join(known)} [default: all]")
    options = parser.parse_args()
    wrong = [name for name in options.only if name not in known]
    if wrong:
        parser.error(f"there is no assumption {wrong[0]}: they are {', '.join(known)}")
    return options


def agreed(options, account, suffix):
    """Whether the person at the terminal wants it."""
    # A real account is named before anything is made in it.
    who = account.client("sts").get_caller_identity()
    print(f"Account {who['Account']}, Region {account.session.region_name}, as {who['Arn']}")
    print(f"Makes a function, an alias, an alarm, a state machine, a schedule, and their roles, all named canaryctl-try-{suffix},")
    print("and deletes them at the end. It takes about ten minutes and costs less than $0.05.")
    if options.yes:
        return True
    if not sys.stdin.isatty():
        print("nothing was made: there is no terminal to ask in; `--yes` does it without asking")
        return False
    return input("Continue? [y/N] ").strip().lower() in ("y", "yes")


def clean_up(made):
    """Deletes what was made, the last first; says what is left."""
    left = []
    for what, delete in reversed(made):
        try:
            delete()
        except Exception as error:  # pylint: disable=broad-exception-caught
            # What was never made is not there, in each service's own words.
            words = str(error)
            if not any(word in words for word in ("NotFound", "NoSuchEntity", "does not exist")):
                left.append(f"{what}: {words}")
    for line in left:
        print(f"NOT DELETED  {line}")
    return not left


def show(rows):
    """The table."""
    print(f"\n{'':4} {'assumption':62} {'expected':36} seen")
    for what, expected, seen, holds in rows:
        print(f"{'ok' if holds else 'FAIL':4} {what:62} {str(expected)[:35]:36} {str(seen)[:60]}")
    bad = sum(not holds for *_, holds in rows)
    print(f"\n{len(rows) - bad} hold, {bad} do not")
    return not bad


def main():
    """Exits with 0 if all hold and nothing is left."""
    options = read()
    account, suffix = Account(options), secrets.token_hex(4)
    if not agreed(options, account, suffix):
        return 3
    # Whoever ends it is to find nothing left behind, as after ^C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows, made = [], []

    def row(*cells):
        rows.append(cells)
        print(f"{'ok  ' if cells[3] else 'FAIL'} {cells[0]}", flush=True)

    role = "arn:aws:iam::111111111111:role/none" if options.simulated else None
    trial = assumptions.Trial(account, suffix, row, role, made)
    try:
        trial.function()
        for assumption in assumptions.ALL:
            if options.only and assumption.__name__ not in options.only or options.simulated and assumption is assumptions.guard:
                continue
            try:
                assumption(trial)
            except Exception:  # pylint: disable=broad-exception-caught
                row(f"{assumption.__name__}: could be checked", "an answer", traceback.format_exc().strip().splitlines()[-1], False)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("deleting what was made", flush=True)
        clean = clean_up(made)
    return 0 if show(rows) and clean else 1


if __name__ == "__main__":
    sys.exit(main())
