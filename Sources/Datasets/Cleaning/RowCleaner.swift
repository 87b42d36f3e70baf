import Formats
import Platform

/// Leaves out rows by rules, and masks what belongs to a person.
///
///     var cleaner = RowCleaner(sources: ["raw.jsonl"])
///     cleaner.rules = [("min_words", "5"), ("languages", "zh,en")]
///     let report = try cleaner.run(output: "clean.jsonl")
public struct RowCleaner {
    public var sources: [String]
    /// Columns whose texts count; empty for all.
    public var columns: [String] = []
    /// Names of `CleaningRule.all` with their values.
    public var rules: [(name: String, value: String)] = []
    public var masks: Set<PersonalDatum> = []
    /// Whether an output that exists is replaced; sources and lists of keywords never are.
    public var overwrites = false
    public var threads = SystemInfo.cpuCount
    /// Perplexities of texts, for the rule that needs a model.
    public var perplexities: (([String]) throws -> [Double])?
    /// Rows read so far.
    public var progress: (Int) -> Void = { _ in }

    public init(sources: [String]) { self.sources = sources }

    /// What the rules made of a row, but for the one that needs a model.
    private struct Judged: Sendable {
        /// Empty where no model asks for it.
        var text: String
        var verdict: RowVerdict
    }

    /// - Parameter output: nil only counts.
    public func run(output: String?) throws -> RowReport {
        let text = RowText(columns: Set(columns))
        try text.check(in: sources)
        var judges: [(name: String, judge: RowJudge)] = []
        for rule in CleaningRule.all {
            guard let value = rules.first(where: { $0.name == rule.name })?.value else { continue }
            judges.append((rule.name, try rule.judge(value)))
        }
        let limit = rules.first { $0.name == CleaningRule.perplexity }.flatMap { Double($0.value) }
        let (masks, chosen, perplexities) = (masks, judges, perplexities)
        let keepsText = limit != nil && perplexities != nil
        let lists = rules.compactMap { KeywordFinder.file($0.value) }
        let pipeline = RowPipeline<Judged>(
            sources: sources, output: output, overwrites: overwrites, spared: lists, threads: threads, progress: progress,
            look: { value in
                let words = text.text(value)
                let facts = RowFacts(text: words, measure: TextMeasure(words))
                for (name, judge) in chosen {
                    if let reason = judge(facts) { return Judged(text: "", verdict: .drop(rule: name, reason: reason)) }
                }
                guard !masks.isEmpty, let changed = text.changed(value, { PersonalDatum.masked($0, masks) }) else {
                    return Judged(text: keepsText ? words : "", verdict: .keep)
                }
                return Judged(text: keepsText ? words : "", verdict: .change(changed))
            },
            judge: { rows in
                var verdicts = rows.map { $0.facts.verdict }
                guard let limit, let perplexities else { return verdicts }
                let left = verdicts.indices.filter { if case .drop = verdicts[$0] { false } else { true } }
                for (index, found) in zip(left, try perplexities(left.map { rows[$0].facts.text })) where !(found <= limit) {
                    verdicts[index] = .drop(rule: CleaningRule.perplexity, reason: "its perplexity is \(NumberText.fixed(found, digits: 1))")
                }
                return verdicts
            })
        return try pipeline.run()
    }
}
