"""Expected values of the text metrics: nltk 3.10.4, rouge-chinese 1.0.3, jieba 0.42.1.

    python Tests/Fixtures/generate/evaluation.py

Writes Tests/Fixtures/evaluation/similarity.json (scores and words by jieba's own dictionary), and jieba/ with a small made-up
dictionary and character model in jieba's file format, with small.json holding what jieba's code makes of it.
"""

import json
import math
import os
import random
import shutil
import tempfile

import jieba
import numpy
from jieba import finalseg
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_chinese import Rouge

here = os.path.dirname(os.path.abspath(__file__))
target = os.path.join(here, "..", "evaluation")
os.makedirs(target, exist_ok=True)
jieba.setLogLevel(60)

PAIRS = [
    ("The cat sat on the mat.", "The cat is on the mat."),
    ("I am Tuneboard, a helpful assistant.", "I am Tuneboard, a program that trains models in a terminal."),
    ("2 + 2 = 4", "2 + 2 = 4"),
    ("", "nothing was said"),
    ("   \n ", "only spaces"),
    ("ok", "OK"),
    ("a", "a"),
    ("ab", "abc"),
    ("Is it 3.14%? Yes. No! Maybe...... so", "It is 3.14%. Yes! No? Maybe...... not"),
    ("C++ and c# at AT&T, version 1.2.3-beta_4 costs 5%", "c++ and C# at AT&T, version 1.2-beta costs 50%"),
    ("line one\nline two\r\n\r\nline three", "line one\nline 2\n\n \nline three"),
    ("tabs\tand\u00a0spaces\u3000here", "tabs and spaces here"),
    ("the the the the the", "the cat the dog"),
    ("caf\u00e9 na\u00efve \u2014 d\u00e9j\u00e0 vu", "cafe naive - deja vu"),
    ("emoji \U0001F600 works \U0001F680!", "emoji \U0001F600 flies \U0001F680?"),
    ("\u6211\u53eb\u8c03\u97f3\u53f0\uff0c\u662f\u4e00\u4e2a\u7ec8\u7aef\u91cc\u7684\u52a9\u624b\u3002", "\u6211\u662f\u8c03\u97f3\u53f0\uff0c\u4e00\u4e2a\u5728\u7ec8\u7aef\u91cc\u8bad\u7ec3\u6a21\u578b\u7684\u52a9\u624b\u3002"),
    ("\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002\u6211\u4eec\u53bb\u516c\u56ed\u5427\uff01\u597d\u5417\uff1f", "\u4eca\u5929\u5929\u6c14\u4e0d\u9519\uff01\u6211\u4eec\u4e00\u8d77\u53bb\u516c\u56ed\u597d\u5417\uff1f\u201d\u4ed6\u8bf4\u3002"),
    ("\u5357\u4eac\u5e02\u957f\u6c5f\u5927\u6865", "\u5357\u4eac\u5e02\u7684\u957f\u6c5f\u5927\u6865"),
    ("\u4ed6\u6765\u5230\u4e86\u7f51\u6613\u676d\u7814\u5927\u53a6", "\u5979\u6765\u5230\u7f51\u6613\u5927\u53a6"),
    ("\u5c0f\u660e\u7855\u58eb\u6bd5\u4e1a\u4e8e\u4e2d\u56fd\u79d1\u5b66\u9662\u8ba1\u7b97\u6240\uff0c\u540e\u5728\u65e5\u672c\u4eac\u90fd\u5927\u5b66\u6df1\u9020", "\u5c0f\u660e\u6bd5\u4e1a\u4e8e\u79d1\u5b66\u9662\uff0c\u7136\u540e\u53bb\u4e86\u4eac\u90fd\u5927\u5b66"),
    ("GPT-4\u5728T\u6064\u4e0a\u5199\u4e863.5\u500dPython\u4ee3\u7801", "GPT4\u5728T\u6064\u4e0a\u5199Python3.5\u4ee3\u7801"),
    ("\u738b\u6653\u7433\u8bf4\uff1a\u201c\u8fd9\u4e2a\u95ee\u9898\u5f88\u96be\u3002\u201d\u7136\u540e\u2026\u2026\u79bb\u5f00\u4e86", "\u738b\u6653\u7433\u8bf4\u8fd9\u4e2a\u95ee\u9898\u96be\u2026\u2026\u79bb\u5f00\u4e86\u3002"),
    ("\u3400\u4dbf\u9fa6 \u7e41\u9ad4\u5b57\u8207\u7c21\u9ad4\u5b57", "\u7e41\u9ad4\u5b57\u548c\u7c21\u9ad4\u5b57 \u3400"),
    ("\u53f0\u7063\u7684\u591c\u5e02\u6709\u5f88\u591a\u597d\u5403\u7684\u6771\u897f", "\u53f0\u6e7e\u591c\u5e02\u6709\u5f88\u591a\u597d\u5403\u7684\u4e1c\u897f"),
    ("word " * 40, "word " * 30 + "other " * 10),
]


def score(prediction, label, cut):
    hypothesis, reference = list(cut(prediction)), list(cut(label))
    if not " ".join(hypothesis).split() or not " ".join(reference).split():
        scores = {name: {"f": 0.0} for name in ("rouge-1", "rouge-2", "rouge-l")}
    else:
        scores = Rouge().get_scores(" ".join(hypothesis), " ".join(reference))[0]
    bleu = sentence_bleu([list(label)], list(prediction), smoothing_function=SmoothingFunction().method3)
    row = {name: round(value["f"] * 100, 4) for name, value in scores.items()}
    row["bleu-4"] = round(bleu * 100, 4)
    return {"prediction": prediction, "label": label, "prediction_words": hypothesis, "label_words": reference, "scores": row}


def averages(rows):
    return {name: float(numpy.mean([row["scores"][name] for row in rows])) for name in rows[0]["scores"]}


rows = [score(prediction, label, jieba.cut) for prediction, label in PAIRS]
with open(os.path.join(target, "similarity.json"), "w", encoding="utf-8") as file:
    json.dump({"rows": rows, "average": averages(rows)}, file, ensure_ascii=False, indent=1)

# A dictionary and a character model of our own, in jieba's format: random words over forty characters.
generator = random.Random(7)
characters = [chr(0x4E00 + 37 * index) for index in range(40)]
folder = os.path.join(target, "jieba")
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(os.path.join(folder, "finalseg"))
words = {}
for _ in range(90):
    words["".join(generator.choices(characters[:30], k=generator.choice([1, 1, 2, 2, 2, 3, 4])))] = generator.randint(1, 5000)
words["T" + characters[3]] = 12
words["c++"] = 3
with open(os.path.join(folder, "dict.txt"), "w", encoding="utf-8") as file:
    file.writelines(f"{word} {count} n\n" for word, count in words.items())


def normalised(keys):
    weights = [generator.random() + 0.05 for _ in keys]
    return {key: math.log(weight / sum(weights)) for key, weight in zip(keys, weights)}


start = {**normalised("BS"), "E": finalseg.MIN_FLOAT, "M": finalseg.MIN_FLOAT}
transition = {"B": normalised("EM"), "E": normalised("BS"), "M": normalised("EM"), "S": normalised("BS")}
emission = {state: normalised(characters[:36]) for state in "BEMS"}
for name, table in (("prob_start", start), ("prob_trans", transition), ("prob_emit", emission)):
    with open(os.path.join(folder, "finalseg", name + ".py"), "w", encoding="utf-8") as file:
        file.write("P=" + ascii(table).replace("}, '", "},\n '") + "\n")

finalseg.start_P, finalseg.trans_P, finalseg.emit_P = start, transition, emission
cutter = jieba.Tokenizer(dictionary=os.path.join(folder, "dict.txt"))
cutter.tmp_dir = tempfile.mkdtemp()
texts = []
for _ in range(60):
    text = "".join(generator.choices(characters + list("ab1.% -T+c"), k=generator.randint(1, 30)))
    texts.append({"text": text, "words": list(cutter.cut(text))})
with open(os.path.join(target, "small.json"), "w", encoding="utf-8") as file:
    json.dump(texts, file, ensure_ascii=False, indent=0)
shutil.rmtree(cutter.tmp_dir)
