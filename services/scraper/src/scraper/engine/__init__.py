"""THE LESSON: tasks, what bounds them, and how they end. Between two awaits nobody else runs; at each of them
everybody may, and a cancellation may arrive."""

from scraper.engine.crawler import Crawler

__all__ = ["Crawler"]
