"""Planted defects: small mutations of reviewed code, and a suite that has judges find them."""
