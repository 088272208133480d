"""THE LESSON: producers and consumers around one bounded queue of priorities, and books that always balance."""

from log_pipeline.engine.pipeline import LogPipeline

__all__ = ["LogPipeline"]
