"""The guards of render children and of documents."""

from tests.mutants.guards.guard import Guard

__all__ = ["DOCUMENTS"]

_FORKS = "tests/contracts/test_forks.py"
_LAYOUT_GUARD = "tests/contracts/test_layout_guard.py"
_CHILD_FORKS = "tests/contracts/test_child_forks.py"
_CHILD_GUARDS = "tests/contracts/test_child_guards.py"
_CHILD_START = "tests/contracts/test_child_start.py"
_PRODUCER = "sqr_jobs/adapters/child_producer.py"
_POOL = "sqr_jobs/adapters/child_pool.py"
_LIMITS = "sqr_jobs/documents/limits.py"

DOCUMENTS = (
    Guard(
        name="user text is escaped",
        file="sqr_jobs/documents/text.py",
        code="return ReportLabParagraph(str(escape(cleaned)).replace",
        without="return ReportLabParagraph(str(cleaned).replace",
        tests=("tests/unit/test_text.py",),
    ),
    Guard(
        name="a render child is let go by a forked process",
        file="sqr_jobs/adapters/render_child.py",
        code="        mind_forks(self)  # before there is anything that a forked copy could keep open\n",
        without="",
        tests=(_FORKS,),
    ),
    Guard(
        name="the kernel restricts a layout's thread",
        file="sqr_jobs/documents/guard.py",
        code="                self._sandbox.restrict_this_thread()\n",
        without="",
        tests=(_LAYOUT_GUARD,),
    ),
    Guard(
        name="the audit hook refuses a layout what it lists",
        file="sqr_jobs/documents/guard.py",
        code="            case _ if event in _REFUSED:\n",
        without="            case _ if False:\n",
        tests=(_LAYOUT_GUARD,),
    ),
    Guard(
        name="a mistake in load is not tried again",
        file="sqr_jobs/documents/production.py",
        code="is_final=isinstance(error, _MISTAKES)",
        without="is_final=False",
        tests=("tests/unit/test_production.py",),
    ),
    Guard(
        name="characters without a glyph are counted",
        file="sqr_jobs/documents/glyphs.py",
        code="            self._missing.update(coverage.lacking(shown))\n",
        without="            pass\n",
        tests=("tests/contracts/test_document_producer.py",),
    ),
    Guard(
        name="a template is an instance",
        file="sqr_jobs/documents/template.py",
        code="if inspect.isclass(template) and issubclass(template, Template):",
        without="if False:",
        tests=("tests/unit/test_template.py",),
    ),
    Guard(
        name="a child's reply belongs to the order that was asked",
        file=_PRODUCER,
        code='            if reply.get("id") != order_id:\n',
        without="            if False:\n",
        tests=(_CHILD_FORKS,),
    ),
    Guard(
        name="a child's document is the one that it wrote for this job",
        file=_PRODUCER,
        code='if (size, sha256) != (reply["size"], reply.get("sha256")) or not is_named:',
        without="if not size:",
        tests=("tests/contracts/test_child_work_file.py",),
    ),
    Guard(
        name="a child's forked copy holds none of its pipes",
        file="sqr_jobs/documents/wires.py",
        code="        mind_forks(self)\n",
        without="",
        tests=(_CHILD_FORKS,),
    ),
    Guard(
        name="a child's forked copy makes no document",
        file="sqr_jobs/documents/production.py",
        code="        if os.getpid() != own:\n",
        without="        if False:\n",
        tests=(_CHILD_FORKS,),
    ),
    Guard(
        name="a child that sent something unasked gets no order",
        file="sqr_jobs/adapters/render_child.py",
        code="        return not poll.poll(0)\n",
        without="        return True\n",
        tests=(_CHILD_FORKS,),
    ),
    Guard(
        name="a child's orphans end with it",
        file="sqr_jobs/documents/guardian.py",
        code="    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)\n",
        without="",
        tests=(_CHILD_FORKS,),
    ),
    Guard(
        name="a child leaves no core file",
        file="sqr_jobs/documents/guardian.py",
        code="    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n",
        without="",
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child imports nothing from the working folder",
        file="sqr_jobs/documents/guardian.py",
        code='COMMAND = ("-P", "-m",',
        without='COMMAND = ("-m",',
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child ignores a signal to its whole group",
        file="sqr_jobs/documents/child.py",
        code="        signal.signal(number, signal.SIG_IGN)\n",
        without="        pass\n",
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child that is worn is replaced",
        file=_POOL,
        code="if child.is_worn or not child.is_fit():",
        without="if not child.is_fit():",
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child's files are bounded",
        file=_LIMITS,
        code="        _set_soft(resource.RLIMIT_FSIZE, self.output_bytes + _SLACK_BYTES)\n",
        without="",
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child's time is bounded by the kernel too",
        file=_LIMITS,
        code="        signal.setitimer(signal.ITIMER_REAL, self.seconds)",
        without="        pass",
        tests=(_CHILD_GUARDS,),
    ),
    Guard(
        name="a child's message is bounded",
        file="sqr_jobs/documents/pipes.py",
        code="        if length > MAX_MESSAGE:\n",
        without="        if False:\n",
        tests=("tests/unit/test_pipes.py",),
    ),
    Guard(
        name="a child's start is no part of the attempt's limit",
        file=_PRODUCER,
        code="            lease.begin_rendering()\n",
        without="",
        tests=(_CHILD_START,),
    ),
    Guard(
        name="a child that starts slowly is kept",
        file=_POOL,
        code="                self._keep(child, self._starting)\n",
        without="                child.kill()\n",
        tests=(_CHILD_START,),
    ),
)
