"""Runs commands of a program that is written in Python, each in a process of its own.

Usage: python.py PROGRAM MODULE...

It imports the modules, which takes longer than most commands, and then reads an order a line:
{"args": [...], "stdout": FILE, "stderr": FILE}. For each it forks; the child runs the program as
Python would have, with what is imported already. When the child has ended, its exit code is printed.
"""

import atexit
import gc
import importlib
import json
import os
import platform
import runpy
import sys
import traceback

program, *modules = sys.argv[1:]
for module in modules:
    importlib.import_module(module)
platform.uname().processor  # what system this is, each child would ask thirty other programs
if "distro" in sys.modules:
    sys.modules["distro"].info()
gc.freeze()  # else the first collection in each child copies all of it

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        break
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
else:
    sys.exit()

order = json.loads(line)
for number, file, flags in (
    (0, os.devnull, os.O_RDONLY),
    (1, order["stdout"], os.O_WRONLY),
    (2, order["stderr"], os.O_WRONLY),
):
    opened = os.open(file, flags)
    os.dup2(opened, number)
    os.close(opened)
sys.argv = [program, *order["args"]]
sys.path[0] = os.path.dirname(program)
code = 0
try:
    runpy.run_path(program, run_name="__main__")
except SystemExit as end:
    code = end.code or 0
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
except BaseException:
    code = 1
    traceback.print_exc()
atexit._run_exitfuncs()
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)  # to take everything apart would write to, and so copy, all that was loaded
