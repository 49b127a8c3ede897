"""Installs a release from a server on 127.0.0.1, in each way that the README names, and runs what was installed."""
import base64
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
MADE = pathlib.Path(sys.argv[1]).resolve()
PLATFORM = sys.argv[2]
VERSION = json.loads((ROOT / "bin/npm/package.json").read_text())["version"]
ARCHIVE = f"canaryctl-{PLATFORM}.tar.gz"
# Not installed here, but run: nothing of this machine's user is read or written.
CLEAN = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and not name.startswith(("AWS_", "npm_"))}
FAILED = []


def check(what, holds, seen=""):
    print(f"{'ok' if holds else 'FAILED'}: {what}" + ("" if holds else f"\n{seen}"), flush=True)
    if not holds:
        FAILED.append(what)


def run(words, **more):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, **more)
    return done.returncode, done.stdout


def manifest(tarball):
    with tarfile.open(tarball) as archive:
        return json.load(archive.extractfile("package/package.json"))


class Server(http.server.BaseHTTPRequestHandler):
    """A release under /vVERSION/, one whose archives are spoilt under /spoilt/, and a registry of npm packages under /npm/."""

    packages = {}

    def do_GET(self):
        folder, _, name = self.path.lstrip("/").partition("/")
        if folder == "npm" and name in self.packages:
            return self.answer(self.listed(name))
        file = (MADE / "npm" if folder == "npm" else MADE) / pathlib.Path(name).name
        if not file.is_file():
            return self.send_error(404)
        body = file.read_bytes()
        if folder == "spoilt" and name == ARCHIVE:
            body = body[:100] + bytes([body[100] ^ 1]) + body[101:]
        return self.answer(body)

    def listed(self, name):
        """What a registry says about a package."""
        tarball = self.packages[name]
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        dist = {"tarball": f"http://{self.headers['Host']}/npm/{tarball.name}", "integrity": integrity}
        return json.dumps({"name": name, "dist-tags": {"latest": VERSION}, "versions": {VERSION: {**manifest(tarball), "dist": dist}}}).encode()

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def works(binary, how):
    """It is this version, a rollout that is rolled back exits 10, and a signal rolls back and exits 13."""
    env = {**CLEAN, "CI": ""}
    code, said = run([binary, "--version"], env=env)
    check(f"{how}: it is version {VERSION}", code == 0 and said.strip() == f"canaryctl {VERSION}", said)
    code, said = run([binary, "rollout", "hello", "--simulate=hello-errors", "--speed", "max"], env=env)
    check(f"{how}: a version that fails is rolled back, exit code 10", code == 10, f"{code} {said}")
    rollout = [str(binary), "rollout", "hello", "--simulate", "--speed", "60"]
    process = subprocess.Popen(rollout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    time.sleep(4)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    check(f"{how}: a signal rolls back, exit code 13", process.returncode == 13 and "ROLLED BACK" in said, f"{process.returncode} {said}")


def binaries(folder):
    """What was unpacked: dist's folder in the archive."""
    with tarfile.open(MADE / ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("*/canaryctl"))


def shell_installer(url, folder):
    script = MADE / "canaryctl-installer.sh"
    if not script.is_file():
        return print("skipped: there is no shell installer")
    for base, wanted in [("spoilt", False), (f"v{VERSION}", True)]:
        home = folder / base
        home.mkdir()
        env = {**CLEAN, "HOME": str(home), "CANARYCTL_DOWNLOAD_URL": f"{url}/{base}", "SHELL": "/bin/sh"}
        for name in ["XDG_CONFIG_HOME", "CARGO_HOME", "XDG_BIN_HOME", "XDG_DATA_HOME"]:
            env.pop(name, None)
        code, said = run(["sh", script], env=env)
        binary = home / ".local/bin/canaryctl"
        if wanted:
            check("the shell installer installs", code == 0 and os.access(binary, os.X_OK), f"{code} {said}")
            works(binary, "shell installer")
        else:
            check("the shell installer refuses a wrong checksum", code != 0 and not binary.exists(), f"{code} {said}")


def action(url, folder):
    env = {**CLEAN, "RELEASES": url, "RUNNER_TOOL_CACHE": str(folder / "cache"), "CARGO": "false"}
    code, said = run(["bash", ROOT / "scripts/install-release"], env=env)
    check("the action's script installs", code == 0, f"{code} {said}")
    if code == 0:
        code, said = run([said.strip(), "--version"])
        check("the action's script: it is this version", code == 0 and VERSION in said, said)


def npm(url, folder):
    if not shutil.which("npm") or not Server.packages:
        return print("skipped: there is no npm package")
    env = {**CLEAN, "HOME": str(folder), "npm_config_registry": f"{url}/npm/", "npm_config_cache": str(folder / "npm-cache")}
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    service = folder / "service"
    service.mkdir()
    (service / "package.json").write_text('{"private": true}')
    code, said = run(["npm", "install", *quiet, "--save-dev", "canaryctl"], env=env, cwd=service)
    check("npm installs it in a project, without scripts", code == 0, said)
    works(service / "node_modules/.bin/canaryctl", "npm in a project")
    code, said = run(["npm", "install", *quiet, "--global", "--prefix", folder / "global", "canaryctl"], env=env)
    check("npm installs it globally", code == 0, said)
    code, said = run([folder / "global/bin/canaryctl", "--version"])
    check("npm, global: it is this version", code == 0 and VERSION in said, said)
    # The Serverless plugin runs what the manifest names.
    ask = "const m = require.resolve('canaryctl/package.json'); console.log(require('path').join(m, '..', require(m).bin.canaryctl))"
    code, said = run(["node", "-e", ask], cwd=service)
    code, said = run([said.strip(), "--version"])
    check("npm: it runs as the Serverless plugin runs it", code == 0 and VERSION in said, said)
    for installed in (service / "node_modules").glob("canaryctl-*"):
        shutil.rmtree(installed)
    code, said = run([service / "node_modules/.bin/canaryctl", "--version"])
    check("npm: without its binary it says so", code == 1 and "is not installed" in said, f"{code} {said}")


def main():
    Server.packages = {manifest(tarball)["name"]: tarball for tarball in (MADE / "npm").glob("*.tgz")}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        binary = binaries(folder)
        if "linux" in PLATFORM:
            code, said = run([ROOT / "scripts/glibc", binary, "2.26"])
            check("the binary starts on glibc 2.26", code == 0, said)
        size = binary.stat().st_size
        check(f"the binary has {size / 1e6:.2f} MB, at most 12", size <= 12_000_000, size)
        shell_installer(url, folder)
        action(url, folder)
        npm(url, folder)
    sys.exit(1 if FAILED else 0)


main()
