"""One report for all protocols: tables, curves and pictures, written, read and compared."""
