/// Which data, how a row becomes tokens, and how datasets are mixed.

extension ArgumentTable {
    static let data: [Argument] = rows(.data, [.train, .evaluate], [
        .optionalText("template", "Prompt format, such as llama3 or qwen; the model's own chat template when missing.")
            .with { $0.commands.formUnion([.chat, .export, .api, .data]) },
        .list("dataset", "Datasets by their names in dataset_info.json, or paths of files, with commas between them; name@0.5 takes half of one."),
        .list("eval_dataset", "Datasets to evaluate on, named like dataset.")
            .with { $0.applies = { $0.text("task").isEmpty ? nil : "Not beside task, which evaluates on a benchmark." } },
        .text("dataset_dir", "data", "Folder with dataset_info.json and the data files.").with { $0.commands.insert(.data) },
        .integer("cutoff_len", 2048, "Longest sample in tokens; what is longer is cut.").atLeast(1),
        .flag("train_on_prompt", false, "Learn the prompts too, not the answers only."),
        .flag("mask_history", false, "Learn the last answer of each conversation only."),
        .flag("streaming", false, "Read and tokenise the data while training, and keep nothing of it; needs max_steps."),
        .integer("buffer_size", 16384, "Rows shuffled at a time while streaming.").atLeast(1).only(withFlag: "streaming"),
        .choice(
            "mix_strategy", "concat", ["concat", "interleave_under", "interleave_over", "interleave_once"],
            "One dataset after another, or interleaved until the first or the last runs out."
        ),
        .numbers("interleave_probs", "How often each dataset is drawn, with commas between the numbers.")
            .only(with: "mix_strategy", "interleave_under", "interleave_over", "interleave_once"),
        .flag("overwrite_cache", false, "Tokenise again even when the cache is up to date."),
        .integer("preprocessing_batch_size", 1000, "Rows tokenised at a time.").atLeast(1).noEffect("Rows are tokenised as fast as threads take them."),
        .optionalInteger("preprocessing_num_workers", nil, "Processes that tokenise.").atLeast(1)
            .noEffect("Tokenising uses the processors that `threads` allows."),
        .optionalInteger("max_samples", nil, "Use at most so many rows of each dataset.").atLeast(1),
        .optionalInteger("eval_num_beams", nil, "Beams for predictions during evaluation.").atLeast(1),
        .flag("ignore_pad_token_for_loss", true, "Padding carries no loss.").noEffect("There is no padding."),
        .number("val_size", 0, "Part of the data held back for evaluation: a fraction below 1, or a number of rows.").atLeast(0),
        .flag("eval_on_each_dataset", false, "Report the loss of each evaluation dataset by itself."),
        .optionalFlag("packing", nil, "Put several samples into one sequence; on by default for pre-training."),
        .flag("neat_packing", false, "Pack without letting samples see each other."),
        .optionalText("tool_format", "Format of tool calls, such as qwen or llama3, when it is not the template's own.")
            .with { $0.commands.formUnion([.chat, .api]) },
        .optionalText("default_system", "System prompt for samples and chats that bring none.")
            .with { $0.commands.formUnion([.chat, .api, .export]) },
        .optionalFlag("enable_thinking", true, "Let reasoning models think before they answer.")
            .with { $0.commands.formUnion([.chat, .api]) },
        .flag("preserve_thinking", false, "Keep the thoughts of earlier turns in the prompt."),
        .optionalText("tokenized_path", "Where the tokenised data are kept and found again."),
        .flag("data_shared_file_system", false, "All machines see the same data folder.").noEffect("One machine works on a run."),
    ])
}
