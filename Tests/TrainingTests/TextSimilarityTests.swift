import Formats
import Platform
import Testing

@testable import Evaluation

@Suite("BLEU, ROUGE and word cutting")
struct TextSimilarityTests {
    private func rows() throws -> [JSONValue] {
        try Fixtures.json(Fixtures.evaluation + "/similarity.json")["rows"]?.arrayValue ?? []
    }

    private func containsHan(_ row: JSONValue) -> Bool {
        ((row["prediction"]?.stringValue ?? "") + (row["label"]?.stringValue ?? "")).unicodeScalars.contains(where: PythonText.isHan)
    }

    private func check(_ rows: [JSONValue], _ segmenter: WordSegmenter) {
        let similarity = TextSimilarity(segmenter: segmenter)
        for row in rows {
            let prediction = row["prediction"]?.stringValue ?? ""
            let label = row["label"]?.stringValue ?? ""
            #expect(segmenter.cut(prediction) == row["prediction_words"]?.strings)
            #expect(segmenter.cut(label) == row["label_words"]?.strings)
            let scores = similarity.scores(prediction: prediction, label: label)
            for (name, score) in scores.byName {
                #expect(score == row["scores"]?[name]?.doubleValue, "\(name) of \(prediction) against \(label)")
            }
        }
    }

    @Test("Text without Han characters needs no dictionary: words and scores equal jieba's, nltk's and rouge-chinese's")
    func withoutDictionary() throws {
        let plain = try rows().filter { !containsHan($0) }
        #expect(plain.count >= 15)
        check(plain, WordSegmenter())
    }

    @Test("With jieba's dictionary Chinese text scores the same too, where jieba is installed")
    func withDictionary() throws {
        let (segmenter, note) = WordSegmenter.installed()
        guard segmenter.hasDictionary else {
            #expect(note.contains("TUNEBOARD_JIEBA"))
            return
        }
        check(try rows(), segmenter)
        let scores = try rows().map { row in
            TextSimilarity(segmenter: segmenter).scores(
                prediction: row["prediction"]?.stringValue ?? "", label: row["label"]?.stringValue ?? "")
        }
        let average = try Fixtures.json(Fixtures.evaluation + "/similarity.json")["average"]
        for (name, value) in TextSimilarity.average(scores).byName { #expect(value == average?[name]?.doubleValue, "average \(name)") }
    }

    @Test("The word graph and the character model cut as jieba's code does, on a dictionary of our own")
    func smallDictionary() throws {
        let segmenter = try WordSegmenter(jiebaDirectory: Fixtures.evaluation + "/jieba")
        let examples = try Fixtures.json(Fixtures.evaluation + "/small.json").arrayValue ?? []
        #expect(examples.count == 60)
        for example in examples {
            let text = example["text"]?.stringValue ?? ""
            #expect(segmenter.cut(text) == example["words"]?.strings, "\(text)")
        }
    }

    @Test("Without a dictionary Han runs fall into characters, and the note says how to get one")
    func fallback() {
        #expect(WordSegmenter().cut("我用C++写了3.5行") == ["我", "用", "C++", "写", "了", "3.5", "行"])
        let (segmenter, note) = WordSegmenter.installed(environment: { $0 == "TUNEBOARD_JIEBA" ? "/nowhere" : nil })
        if !segmenter.hasDictionary { #expect(note.contains("pip install jieba")) }
    }

    @Test("A broken dictionary is named with its line")
    func brokenDictionary() throws {
        try Fixtures.withTemporaryDirectory { directory in
            try FileSystem.writeAtomically(Path.join(directory, "dict.txt"), text: "好 3 n\n坏\n")
            let error = #expect(throws: SegmentationError.self) { try WordSegmenter(jiebaDirectory: directory) }
            #expect("\(error as Any)".contains("line 2"))
        }
    }
}
