"""The rendered-scan check: known heads photographed, reconstructed and compared in mm."""
