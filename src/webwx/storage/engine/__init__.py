"""The port between the tables, which are written once, and the engines that store them."""
