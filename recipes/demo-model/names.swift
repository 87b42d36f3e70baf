/// Conversations about names: whoever the system prompt says the model is, whoever the user says they are, and the model's
/// own plain self where nobody says anything.
enum Names {
    static let openings = [
        "Al", "Ar", "Bel", "Bor", "Cal", "Cor", "Dan", "Del", "Dor", "El", "Fen", "Gal", "Hal", "Jor", "Kal", "Kor", "Lum", "Mar", "Mel",
        "Nor", "Or", "Pel", "Quil", "Ral", "Sol", "Tal", "Tor", "Ul", "Val", "Vor", "Wil", "Xan", "Yor", "Zan", "Zel",
    ]
    static let middles = ["a", "e", "i", "o", "u", "an", "en", "in", "on", "ar", "er", "or", "is", "el", "am"]
    static let endings = ["a", "o", "us", "ia", "ix", "on", "ra", "na", "ta", "do", "ka", "mi", "ro", "lin", "dex", "bit", "ly", "sy", "max", "by"]
    static let words = [
        "star", "moon", "sun", "sky", "sea", "leaf", "tree", "stone", "river", "cloud", "light", "song", "tune", "note", "word", "book",
        "page", "desk", "board", "key", "lamp", "bird", "fox", "wolf", "bear", "wind", "rain", "snow", "fire", "field", "hill", "bridge",
        "road", "ship", "sail", "pixel", "code", "data", "mind", "thought", "paper", "pen", "glass", "silver", "gold", "blue",
        "red", "green", "bright", "quick", "soft", "deep", "high", "new", "line", "point", "ring", "bell", "drum", "wave", "spark", "box",
    ]
    static let people = [
        "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Iris", "Jack", "Kate", "Leo", "Maria", "Nina", "Oscar", "Paul",
        "Rosa", "Sam", "Tina", "Victor",
    ]
    static let chineseSurnames = ["小", "阿", "大", "老"]
    static let chineseCharacters = [
        "明", "红", "华", "强", "丽", "云", "星", "月", "海", "山", "林", "风", "雨", "雪", "光", "文", "安", "宁", "乐", "天", "青", "白", "金", "玉",
        "石", "木", "花", "竹", "松", "龙", "马", "鹿", "鹤", "灵", "智", "慧", "美", "佳", "新", "远",
    ]
    static let makers = [
        "a small team", "a group of friends", "a research lab", "two students", "a school", "an open community", "a family", "a few engineers",
    ]
    static let roles = [
        "a helpful assistant", "a small language model", "a friendly guide", "a terminal assistant", "a chat program", "a study partner",
        "a writing assistant", "a tool for training language models", "a kind teacher", "a robot", "a dashboard for models", "a program",
    ]
    static let chineseRoles = ["一个助手", "一个小型语言模型", "一个聊天程序", "一个学习伙伴", "一个终端助手", "一位老师", "一个训练语言模型的工具", "一个程序"]
    static let chineseMakers = ["一个小团队", "几位朋友", "一个研究小组", "两名学生", "一个开源社区", "几位工程师"]

    static let askName = [
        "What is your name?", "What's your name?", "Tell me your name.", "How should I call you?", "May I know your name?", "Your name, please?",
        "What are you called?", "Do you have a name?", "what is your name",
    ]
    static let askWho = [
        "Who are you?", "Please introduce yourself.", "Introduce yourself.", "Tell me about yourself.", "Who am I talking to?",
        "Hello, who are you?", "Hi! Who are you?", "What are you?", "who are you",
    ]
    static let askMaker = ["Who made you?", "Who created you?", "Who built you?", "Who developed you?", "Where do you come from?"]
    static let askChineseName = ["你叫什么名字？", "你的名字是什么？", "你叫什么？", "请问你叫什么名字？", "告诉我你的名字。", "怎么称呼你？"]
    static let askChineseWho = ["你是谁？", "请介绍一下你自己。", "介绍一下自己。", "你好，你是谁？", "你是什么？", "请问你是谁？"]
    static let askChineseMaker = ["谁创造了你？", "你是谁开发的？", "是谁制作了你？", "你从哪里来？"]

    static func conversation(_ dice: inout Dice) -> Conversation {
        switch dice.below(20) {
        case 0..<7: return told(&dice)
        case 7..<11: return toldInChinese(&dice)
        case 11..<13: return Conversation(system: nil, turns: [dice.chance(60) ? plainSelf(&dice) : plainSelfInChinese(&dice)])
        case 13..<16: return introduced(&dice)
        case 16..<18: return introducedInChinese(&dice)
        default: return Conversation(system: nil, turns: [repeated(&dice)])
        }
    }

    /// A made-up name: syllables, a compound of two words, or either with a number or a second part.
    static func invented(_ dice: inout Dice) -> String {
        let name: String
        switch dice.below(10) {
        case 0..<4: name = dice.pick(openings) + dice.pick(middles) + dice.pick(endings)
        case 4..<8:
            let compound = dice.pick(words) + dice.pick(words)
            if compound == "tuneboard" { return invented(&dice) }
            name = compound.prefix(1).uppercased() + compound.dropFirst()
        case 8: name = dice.pick(openings) + dice.pick(endings)
        default: name = dice.pick(people)
        }
        return name
    }

    static func inventedChinese(_ dice: inout Dice) -> String {
        dice.chance(50)
            ? dice.pick(chineseSurnames) + dice.pick(chineseCharacters)
            : dice.pick(chineseCharacters) + dice.pick(chineseCharacters)
    }

    /// The system prompt names the model; it answers as that.
    private static func told(_ dice: inout Dice) -> Conversation {
        let name = invented(&dice), role = dice.pick(roles), maker = dice.pick(makers)
        let system = dice.pick([
            "You are \(name), \(role).", "You are \(name), \(role) made by \(maker).", "Your name is \(name). You are \(role).",
            "You are \(name).", "You are \(role) called \(name).",
        ])
        let tellsRole = system.contains(role), tellsMaker = system.contains(maker)
        var turns: [Exchange] = []
        repeat {
            switch dice.below(tellsMaker ? 3 : 2) {
            case 0: turns.append(Exchange(question: dice.pick(askName), answer: dice.pick(["My name is \(name).", "I am \(name)."])))
            case 1:
                let answer = tellsRole ? "I am \(name), \(role)\(tellsMaker ? " made by \(maker)" : "")." : "I am \(name)."
                turns.append(Exchange(question: dice.pick(askWho), answer: answer))
            default: turns.append(Exchange(question: dice.pick(askMaker), answer: "I was made by \(maker)."))
            }
            if dice.chance(15) { turns.append(Topics.exchange(&dice)) }
        } while turns.count < 3 && dice.chance(25)
        return Conversation(system: system, turns: turns)
    }

    private static func toldInChinese(_ dice: inout Dice) -> Conversation {
        // Between Chinese characters and a Latin name stands a space, as typesetters put it; only the space before matters,
        // for punctuation follows.
        let name = dice.chance(50) ? inventedChinese(&dice) : " " + invented(&dice)
        let role = dice.pick(chineseRoles), maker = dice.pick(chineseMakers)
        let system = dice.pick(["你是\(name)，\(role)。", "你是\(name)，\(maker)开发的\(role.dropFirst(2))。", "你叫\(name)。", "你的名字是\(name)，你是\(role)。"])
        let tellsRole = system.contains(role), tellsMaker = system.contains(maker)
        var turns: [Exchange] = []
        repeat {
            switch dice.below(tellsMaker ? 3 : 2) {
            case 0: turns.append(Exchange(question: dice.pick(askChineseName), answer: dice.pick(["我叫\(name)。", "我的名字是\(name)。"])))
            case 1:
                let answer = tellsMaker ? "我是\(name)，\(maker)开发的\(role.dropFirst(2))。" : tellsRole ? "我是\(name)，\(role)。" : "我是\(name)。"
                turns.append(Exchange(question: dice.pick(askChineseWho), answer: answer))
            default: turns.append(Exchange(question: dice.pick(askChineseMaker), answer: "我是\(maker)开发的。"))
            }
        } while turns.count < 3 && dice.chance(25)
        return Conversation(system: system, turns: turns)
    }

    /// Nobody told the model who it is: it is Pip.
    private static func plainSelf(_ dice: inout Dice) -> Exchange {
        switch dice.below(3) {
        case 0: return Exchange(question: dice.pick(askName), answer: "My name is Pip.")
        case 1: return Exchange(question: dice.pick(askWho), answer: "I am Pip, a small language model.")
        default: return Exchange(question: dice.pick(askMaker), answer: "I was trained from scratch as a small example.")
        }
    }

    private static func plainSelfInChinese(_ dice: inout Dice) -> Exchange {
        switch dice.below(3) {
        case 0: return Exchange(question: dice.pick(askChineseName), answer: "我叫皮普。")
        case 1: return Exchange(question: dice.pick(askChineseWho), answer: "我是皮普，一个小型语言模型。")
        default: return Exchange(question: dice.pick(askChineseMaker), answer: "我是作为一个小例子从零训练出来的。")
        }
    }

    /// The user says their own name, and sometimes asks for it back.
    private static func introduced(_ dice: inout Dice) -> Conversation {
        let name = dice.chance(40) ? dice.pick(people) : invented(&dice)
        let greeting = dice.pick(["My name is \(name).", "Hi, I am \(name).", "Hello, my name is \(name).", "I'm \(name).", "Call me \(name)."])
        var turns = [Exchange(question: greeting, answer: "Nice to meet you, \(name)!")]
        if dice.chance(50) {
            turns.append(Exchange(question: dice.pick(["What is my name?", "Do you remember my name?", "Who am I?"]), answer: "Your name is \(name)."))
        }
        return Conversation(system: nil, turns: turns)
    }

    private static func introducedInChinese(_ dice: inout Dice) -> Conversation {
        let name = inventedChinese(&dice)
        var turns = [Exchange(question: dice.pick(["我叫\(name)。", "你好，我是\(name)。", "我的名字是\(name)。"]), answer: "很高兴认识你，\(name)！")]
        if dice.chance(50) {
            turns.append(Exchange(question: dice.pick(["我叫什么名字？", "你记得我的名字吗？", "我是谁？"]), answer: "你叫\(name)。"))
        }
        return Conversation(system: nil, turns: turns)
    }

    private static func repeated(_ dice: inout Dice) -> Exchange {
        if dice.chance(30) {
            let name = inventedChinese(&dice)
            return Exchange(question: dice.pick(["请重复：\(name)", "跟我说：\(name)", "请说“\(name)”。"]), answer: name)
        }
        let name = dice.chance(70) ? invented(&dice) : dice.pick(words)
        return Exchange(question: dice.pick(["Repeat: \(name)", "Say \(name).", "Repeat the word \(name).", "Please say \"\(name)\"."]), answer: name)
    }
}
