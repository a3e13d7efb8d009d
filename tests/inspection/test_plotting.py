"""Displays need matplotlib only when they are plotted."""

import subprocess
import sys
import textwrap


def test_matplotlib_is_imported_only_when_plotting():
    code = """
        import sys
        import skrnn.inspection as inspection
        display = inspection.LossCurveDisplay([1.0, 0.5])
        assert not any(name.split(".")[0] == "matplotlib" for name in sys.modules)
        sys.modules["matplotlib"] = None
        try:
            display.plot()
        except ImportError as error:
            assert "LossCurveDisplay.plot requires matplotlib" in str(error), error
        else:
            raise AssertionError
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
