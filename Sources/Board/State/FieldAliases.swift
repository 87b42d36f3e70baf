/// Where the fields of LLaMA Board's pages are found here, by their names there. Its users search for those names, and a test holds
/// this table against the list of that page's fields.
enum FieldAliases {
    enum Place: Sendable, Equatable {
        /// Rows of the form.
        case arguments([String])
        /// A command of the board does it.
        case command(String)
        /// A part of the page that is no form; what it is called.
        case pane(String)
    }

    /// Where a field is. A name that is an argument's own stands for itself.
    static func place(of field: String) -> Place { table[field] ?? .arguments([field]) }

    /// LLaMA Board's names of an argument, for the filter.
    static func names(of argument: String) -> [String] { byArgument[argument] ?? [] }

    private static let table: [String: Place] = [
        "lang": .command("board.language"),
        "model_name": .arguments(["model_name_or_path"]),
        "model_path": .arguments(["model_name_or_path"]),
        // The picker of models names both hubs.
        "hub_name": .arguments(["model_name_or_path"]),
        "checkpoint_path": .arguments(["adapter_name_or_path"]),
        // So the log and the chart call it.
        "lr": .arguments(["learning_rate"]),
        "booster": .arguments(["flash_attn", "use_unsloth", "enable_liger_kernel"]),
        "training_stage": .arguments(["stage"]),
        "compute_type": .arguments(["bf16", "fp16", "pure_bf16"]),
        "batch_size": .arguments(["per_device_train_batch_size", "per_device_eval_batch_size"]),
        "neftune_alpha": .arguments(["neftune_noise_alpha"]),
        // Every other argument is a row of its own.
        "extra_args": .command("form.filter"),
        "use_pissa": .arguments(["pissa_init", "pissa_convert"]),
        "config_path": .command("recipe.save"),
        "ds_stage": .arguments(["deepspeed"]),
        "ds_offload": .arguments(["deepspeed"]),
        "predict": .arguments(["predict_with_generate"]),
        "query": .pane("message"),
        "role": .pane("message"),
        "tools": .pane("tools"),
        "system": .arguments(["default_system"]),
        // Text is shown as text in a terminal; there is no HTML to escape.
        "escape_html": .pane("transcript"),
    ]

    private static let byArgument: [String: [String]] = {
        var names: [String: [String]] = [:]
        for field in table.keys.sorted() {
            if case .arguments(let arguments) = table[field] {
                for argument in arguments where argument != field { names[argument, default: []].append(field) }
            }
        }
        return names
    }()
}
