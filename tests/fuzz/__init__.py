"""A fuzzer: files as strangers make them, structurally mutated, against everything that reads them.

A case is a number. With the session's seed it decides, alone, which file is built (``seeds``), what
is changed in it (``mutations``), and what then reads it (``targets``). The case runs in a worker
process (``worker``) that serves many cases, under limits of time, memory and file size, and that is
started again when it dies. ``oracle`` judges what came of it:

==================  ================================================================================
finding             when
==================  ================================================================================
foreign             an exception that is not a ``HotbedError`` left the public call
traceback           a traceback, a control character or an odd exit code left the command line
signal              the worker died; native code of a runtime included
hang, slow          no answer in time; or an answer that took too much processor time
growth              memory, or disk space, beyond the limit for files of a few kilobytes
write, read         a file outside of what the case may write was written; one outside the model
                    folder was read through it; the model folder itself was changed
process, network,   the worker started a process (but ``pip`` for ``pypi://``), spoke to a host, ran
code                code out of the folder or the current directory, or unpickled
not finite          an accepted model gave NaN or infinity without an error
neighbours          a text alone and beside longer ones has another vector
vectors             an accepted model has other vectors than the right ones, see below
==================  ================================================================================

What vectors are right depends on what was changed:

- ``neutral`` changes (a key that nobody knows, white space, a README, a link inside the folder)
  leave the vectors as they were; the reference is the family's forward in numpy
  (``hotbed.reference``) on the folder before the change.
- ``unreadable`` changes (a link that leads nowhere, a pipe, a folder in a file's place, cut-off
  JSON) are refused, or the file does not matter and the vectors are as before: a file that is there
  and cannot be read is never the same as one that is absent.
- ``sealed`` files are those of which hotbed kept a digest when it wrote them: graphs in the cache
  and in converted folders, files of a registered version. Any change to one is refused or made
  good: the vectors are as before.
- Everything else means something new: another number in ``config.json``, another weight in a
  stranger's safetensors, of which no digest is known. The reference is then the numpy forward on
  the changed folder, where it holds safetensors; for a changed graph nobody knows what is right,
  and only "finite" and "neighbours" are asked.

``expectations`` names what is known and cannot be mended here, each with its reason. Run more of
it, or one case again::

    python -m pytest tests/fuzz --fuzz-cases 5000 --fuzz-seed 7
    python -m tests.fuzz --seed 7 --case 4711 --keep /tmp/case
"""
