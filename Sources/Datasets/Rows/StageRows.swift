/// Which rows a stage learns from: plain ones, pairs of answers, or judged answers.
struct StageRows {
    let stage: String

    /// The entry as the stage reads it. A bare file may be read in several ways; dataset_info.json says what it means.
    func suited(_ entry: DatasetEntry) throws(DatasetError) -> DatasetEntry {
        var entry = entry
        switch stage {
        case "rm", "dpo":
            if entry.isGuessed, entry.chosen != nil { entry.isRanking = true }
            guard entry.isRanking else {
                throw refusal(entry, "it has no pairs of answers. Set \"ranking\": true and the columns chosen and rejected in dataset_info.json")
            }
            if entry.chosen == nil || entry.rejected == nil {
                throw refusal(entry, "its entry in dataset_info.json must name the columns chosen and rejected")
            }
        case "kto":
            if entry.isRanking { throw refusal(entry, "it ranks pairs of answers, kto judges single ones; use stage dpo") }
            guard entry.ktoTag != nil else {
                throw refusal(entry, "it does not say which answers are wanted. Name the column with true or false as kto_tag in dataset_info.json")
            }
            if entry.isGuessed, entry.response == nil, entry.format == .alpaca { entry.response = "completion" }
        case "ppo": break
        default:
            if entry.isRanking { throw refusal(entry, "it ranks answers, which the stage cannot use; rm and dpo do") }
        }
        if ["rm", "dpo", "kto", "ppo"].contains(stage), entry.format == .tokenised {
            throw refusal(entry, "it holds token ids, and the stage needs the text of questions and answers")
        }
        return entry
    }

    private func refusal(_ entry: DatasetEntry, _ reason: String) -> DatasetError {
        .wrongKind(dataset: entry.name, stage: stage, reason: reason)
    }
}
