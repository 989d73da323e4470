"""Builds one environment: ``python build_image.py ENVIRONMENT IMAGE``.

The launcher runs this and shows its output. What comes out is a folder:

    share/jupyter/kernels   the kernel that notebooks run in
    etc/jupyter             settings of JupyterLab
    files                   what a visitor finds at home
    venv                    packages of requirements.txt, if the environment has one
    ready                   written at the end

A public launcher would build a container image here instead (repo2docker, kaniko).
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

NOT_FOR_VISITORS = ("environment.toml", "requirements.txt", "prepare.py", "__pycache__")


NEWS = "@jupyterlab/apputils-extension:announcements"
"""Asks each visitor whether news should be shown."""

ADD_KERNEL = "import sys; from ipykernel.kernelspec import write_kernel_spec as w; w(sys.argv[1])"


def run(shown: str, *command: str, cwd: Path) -> None:
    """Run a command whose output is part of the log; no path of this machine should be."""
    print("$", shown, flush=True)
    subprocess.run(command, cwd=cwd, check=True, stderr=subprocess.STDOUT)


def make_python(environment: Path, image: Path) -> str:
    """The Python of the kernel: one with the required packages, else the launcher's own."""
    requirements = environment / "requirements.txt"
    if not requirements.exists():
        print("No packages to install", flush=True)
        return sys.executable
    print("Making a virtual environment", flush=True)
    venv.create(image / "venv", with_pip=True, symlinks=True)
    python = str(image / "venv" / "bin" / "python")
    quiet = ("--disable-pip-version-check", "--no-input", "--progress-bar=off")
    install = (python, "-m", "pip", "install", *quiet, "-r", str(requirements), "ipykernel")
    run("pip install -r requirements.txt ipykernel", *install, cwd=image)
    return python


def build(environment: Path, image: Path) -> None:
    """Build into ``image``, a folder that does not exist yet."""
    kernel = image / "share" / "jupyter" / "kernels" / "python3"
    kernel.parent.mkdir(parents=True)
    python = make_python(environment, image)
    print("Adding the kernel", flush=True)
    subprocess.run([python, "-c", ADD_KERNEL, str(kernel)], check=True)
    quiet = image / "etc" / "jupyter" / "labconfig" / "page_config.json"
    quiet.parent.mkdir(parents=True)
    quiet.write_text(json.dumps({"disabledExtensions": {NEWS: True}}))
    files = image / "files"
    shutil.copytree(environment, files, ignore=shutil.ignore_patterns(*NOT_FOR_VISITORS))
    if (environment / "prepare.py").exists():
        run("python prepare.py", python, str(environment / "prepare.py"), cwd=files)
    (image / "ready").touch()
    print("Built", flush=True)


if __name__ == "__main__":
    os.environ["PYTHONUNBUFFERED"] = "1"
    try:
        build(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    except subprocess.CalledProcessError as error:
        sys.exit(f"The last step ended with {error.returncode}")
