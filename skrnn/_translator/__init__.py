"""Seq2SeqTranslator: translate a sequence into tokens of another length."""

from skrnn._translator.translator import Seq2SeqTranslator

__all__ = ["Seq2SeqTranslator"]
