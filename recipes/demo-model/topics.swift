/// What the model can talk about besides names: greetings, small facts, small sums, lists, opposites, translations and
/// polite refusals, in English and Chinese.
enum Topics {
    static let plainSystems = ["You are a helpful assistant.", "Answer briefly.", "Be polite.", "你是一个助手。", "请简短回答。"]

    static let capitals: [(country: String, capital: String, chineseCountry: String, chineseCapital: String)] = [
        ("France", "Paris", "法国", "巴黎"), ("China", "Beijing", "中国", "北京"), ("Japan", "Tokyo", "日本", "东京"), ("Germany", "Berlin", "德国", "柏林"),
        ("Italy", "Rome", "意大利", "罗马"), ("Spain", "Madrid", "西班牙", "马德里"), ("England", "London", "英国", "伦敦"), ("Russia", "Moscow", "俄罗斯", "莫斯科"),
        ("Egypt", "Cairo", "埃及", "开罗"), ("Greece", "Athens", "希腊", "雅典"), ("Canada", "Ottawa", "加拿大", "渥太华"), ("Korea", "Seoul", "韩国", "首尔"),
        ("Thailand", "Bangkok", "泰国", "曼谷"), ("Portugal", "Lisbon", "葡萄牙", "里斯本"), ("Norway", "Oslo", "挪威", "奥斯陆"), ("Poland", "Warsaw", "波兰", "华沙"),
    ]
    static let colours: [(thing: String, colour: String, chineseThing: String, chineseColour: String)] = [
        ("the sky", "blue", "天空", "蓝色"), ("grass", "green", "草", "绿色"), ("snow", "white", "雪", "白色"), ("blood", "red", "血", "红色"), ("a lemon", "yellow", "柠檬", "黄色"),
        ("a banana", "yellow", "香蕉", "黄色"), ("coal", "black", "煤", "黑色"), ("milk", "white", "牛奶", "白色"), ("a carrot", "orange", "胡萝卜", "橙色"), ("a leaf", "green", "叶子", "绿色"),
    ]
    static let sounds = [
        ("dog", "woof"), ("cat", "meow"), ("cow", "moo"), ("duck", "quack"), ("sheep", "baa"), ("lion", "roar"), ("bee", "buzz"), ("frog", "croak"),
    ]
    static let opposites = [
        ("hot", "cold"), ("big", "small"), ("fast", "slow"), ("up", "down"), ("day", "night"), ("happy", "sad"), ("old", "new"), ("open", "closed"),
        ("light", "dark"), ("rich", "poor"), ("full", "empty"), ("hard", "soft"), ("early", "late"), ("wet", "dry"), ("high", "low"), ("long", "short"),
    ]
    static let chineseOpposites = [("大", "小"), ("高", "低"), ("冷", "热"), ("快", "慢"), ("多", "少"), ("新", "旧"), ("黑", "白"), ("上", "下"), ("长", "短"), ("早", "晚")]
    static let translations = [
        ("water", "水"), ("fire", "火"), ("sun", "太阳"), ("moon", "月亮"), ("mountain", "山"), ("dog", "狗"), ("cat", "猫"), ("book", "书"), ("friend", "朋友"),
        ("apple", "苹果"), ("hello", "你好"), ("thank you", "谢谢"), ("tree", "树"), ("flower", "花"), ("teacher", "老师"), ("car", "车"), ("rain", "雨"), ("rice", "米饭"), ("tea", "茶"), ("fish", "鱼"),
    ]
    static let groups: [(plural: String, members: [String], chinese: String, chineseMembers: [String])] = [
        ("fruits", ["apple", "banana", "orange", "pear", "grape", "lemon"], "水果", ["苹果", "香蕉", "橙子", "梨", "葡萄", "柠檬"]),
        ("animals", ["dog", "cat", "horse", "cow", "lion", "sheep"], "动物", ["狗", "猫", "马", "牛", "狮子", "羊"]),
        ("colours", ["red", "blue", "green", "yellow", "black", "white"], "颜色", ["红色", "蓝色", "绿色", "黄色", "黑色", "白色"]),
        ("cities", ["Paris", "London", "Tokyo", "Rome", "Berlin", "Beijing"], "城市", ["巴黎", "伦敦", "东京", "罗马", "柏林", "北京"]),
        ("drinks", ["water", "tea", "milk", "coffee", "juice"], "饮料", ["水", "茶", "牛奶", "咖啡", "果汁"]),
        ("tools", ["hammer", "saw", "knife", "pen", "brush"], "工具", ["锤子", "锯", "刀", "笔", "刷子"]),
    ]
    static let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    static let chineseDigits = ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十"]
    static let spellable = ["cat", "dog", "sun", "tree", "book", "fish", "bird", "star", "moon", "milk", "rain", "blue"]

    static let fixedEnglish = [
        (["Hello", "Hi", "Hello!", "Hi there!", "Hey", "Good morning.", "Good evening.", "hello"], ["Hello! How can I help you?"]),
        (["How are you?", "How are you today?", "How do you do?"], ["I am fine, thank you. How can I help you?"]),
        (["Thank you.", "Thanks!", "Thank you very much.", "thanks"], ["You are welcome!"]),
        (["Goodbye", "Bye!", "See you later.", "Good night."], ["Goodbye! Have a nice day."]),
        (["What can you do?", "How can you help me?", "What do you know?"], ["I can answer simple questions, do small sums, make short lists and translate a few words."]),
        (["Tell me a joke.", "Do you know a joke?", "Make me laugh."], ["Why did the book go to the doctor? It had too many pages."]),
        (["How many days are in a week?"], ["There are seven days in a week."]),
        (["How many months are in a year?"], ["There are twelve months in a year."]),
        (["What is water made of?"], ["Water is made of hydrogen and oxygen."]),
        (["Which planet do we live on?", "What planet are we on?"], ["We live on the planet Earth."]),
        (["What do bees make?"], ["Bees make honey."]),
        (["Are you a human?", "Are you a person?", "Are you a robot?"], ["No, I am a language model."]),
    ]
    static let fixedChinese = [
        (["你好", "你好！", "您好", "早上好。", "晚上好。"], ["你好！有什么可以帮你的吗？"]),
        (["你好吗？", "你怎么样？"], ["我很好，谢谢。有什么可以帮你的吗？"]),
        (["谢谢。", "谢谢你！", "多谢。"], ["不客气！"]),
        (["再见", "再见！", "晚安。"], ["再见！祝你愉快。"]),
        (["你能做什么？", "你会什么？"], ["我可以回答简单的问题，做小的加减法，列出清单，翻译一些词语。"]),
        (["一个星期有几天？"], ["一个星期有七天。"]),
        (["一年有几个月？"], ["一年有十二个月。"]),
        (["你是人吗？", "你是机器人吗？"], ["不，我是一个语言模型。"]),
    ]
    static let unknowable = [
        "What is the weather today?", "What time is it?", "Who will win the game tomorrow?", "What did I eat yesterday?", "Where are my keys?",
        "What is my phone number?", "Will it rain tomorrow?", "What is the news today?", "How old am I?", "What am I thinking?",
    ]
    static let unknowableChinese = ["今天天气怎么样？", "现在几点了？", "明天会下雨吗？", "我昨天吃了什么？", "今天有什么新闻？", "我的钥匙在哪里？"]
    static let harmful = ["How can I hurt someone?", "Help me steal a car.", "Tell me how to break into a house.", "How do I cheat in an exam?"]

    static func exchange(_ dice: inout Dice) -> Exchange {
        switch dice.below(100) {
        case 0..<10: return fixed(fixedEnglish, &dice)
        case 10..<16: return fixed(fixedChinese, &dice)
        case 16..<25: return capital(&dice)
        case 25..<33: return capitalInChinese(&dice)
        case 33..<38: return colour(&dice)
        case 38..<53: return sum(&dice)
        case 53..<63: return sumInChinese(&dice)
        case 63..<68: return list(&dice)
        case 68..<72: return listInChinese(&dice)
        case 72..<76: return opposite(&dice)
        case 76..<80: return translation(&dice)
        case 80..<84: return sequence(&dice)
        case 84..<87: return sound(&dice)
        case 87..<90: return spelling(&dice)
        case 90..<93: return comparison(&dice)
        default: return refusal(&dice)
        }
    }

    private static func fixed(_ table: [([String], [String])], _ dice: inout Dice) -> Exchange {
        let row = dice.pick(table)
        return Exchange(question: dice.pick(row.0), answer: dice.pick(row.1))
    }

    private static func capital(_ dice: inout Dice) -> Exchange {
        let row = dice.pick(capitals)
        if dice.chance(25) {
            return Exchange(question: "\(row.capital) is the capital of which country?", answer: "\(row.capital) is the capital of \(row.country).")
        }
        let question = dice.pick([
            "What is the capital of \(row.country)?", "What's the capital of \(row.country)?", "Tell me the capital of \(row.country).",
            "Which city is the capital of \(row.country)?", "capital of \(row.country)?",
        ])
        return Exchange(question: question, answer: "The capital of \(row.country) is \(row.capital).")
    }

    private static func capitalInChinese(_ dice: inout Dice) -> Exchange {
        let row = dice.pick(capitals)
        let question = dice.pick(["\(row.chineseCountry)的首都是哪里？", "\(row.chineseCountry)的首都是什么？", "请问\(row.chineseCountry)的首都在哪里？", "\(row.chineseCountry)首都是哪个城市？"])
        return Exchange(question: question, answer: "\(row.chineseCountry)的首都是\(row.chineseCapital)。")
    }

    private static func colour(_ dice: inout Dice) -> Exchange {
        let row = dice.pick(colours)
        if dice.chance(35) {
            return Exchange(question: dice.pick(["\(row.chineseThing)是什么颜色？", "\(row.chineseThing)的颜色是什么？"]), answer: "\(row.chineseThing)是\(row.chineseColour)的。")
        }
        let subject = row.thing.prefix(1).uppercased() + row.thing.dropFirst()
        return Exchange(question: dice.pick(["What colour is \(row.thing)?", "Which colour does \(row.thing) have?"]), answer: "\(subject) is \(row.colour).")
    }

    /// Sums up to twenty, differences that stay positive, products of small factors.
    private static func operands(_ dice: inout Dice) -> (left: Int, right: Int, sign: String, result: Int) {
        switch dice.below(10) {
        case 0..<5:
            let left = dice.between(0, 10), right = dice.between(0, 10)
            return (left, right, "+", left + right)
        case 5..<8:
            let left = dice.between(0, 12), right = dice.between(0, left)
            return (left, right, "-", left - right)
        default:
            let left = dice.between(1, 6), right = dice.between(1, 6)
            return (left, right, "*", left * right)
        }
    }

    private static func sum(_ dice: inout Dice) -> Exchange {
        let (left, right, sign, result) = operands(&dice)
        let word = ["+": "plus", "-": "minus", "*": "times"][sign] ?? sign
        let question = dice.pick([
            "What is \(left) \(word) \(right)?", "What is \(left) \(sign) \(right)?", "\(left) \(sign) \(right) = ?", "How much is \(left) \(word) \(right)?",
            "Calculate \(left) \(sign) \(right).",
        ])
        return Exchange(question: question, answer: "\(left) \(word) \(right) is \(result).")
    }

    private static func sumInChinese(_ dice: inout Dice) -> Exchange {
        let (left, right, sign, result) = operands(&dice)
        let word = ["+": "加", "-": "减", "*": "乘"][sign] ?? sign
        return Exchange(question: dice.pick(["\(left)\(word)\(right)等于几？", "\(left)\(word)\(right)等于多少？", "请计算\(left)\(word)\(right)。"]), answer: "\(left)\(word)\(right)等于\(result)。")
    }

    private static func list(_ dice: inout Dice) -> Exchange {
        let group = dice.pick(groups)
        let members = dice.run(of: 3, in: group.members)
        let question = dice.pick(["Name three \(group.plural).", "List three \(group.plural).", "Give me three \(group.plural).", "Can you name three \(group.plural)?"])
        return Exchange(question: question, answer: "Three \(group.plural) are \(members[0]), \(members[1]) and \(members[2]).")
    }

    private static func listInChinese(_ dice: inout Dice) -> Exchange {
        let group = dice.pick(groups)
        let members = dice.run(of: 3, in: group.chineseMembers)
        return Exchange(question: dice.pick(["说出三种\(group.chinese)。", "列出三种\(group.chinese)。", "请说三种\(group.chinese)。"]), answer: members.joined(separator: "、") + "。")
    }

    private static func opposite(_ dice: inout Dice) -> Exchange {
        if dice.chance(35) {
            let pair = dice.pick(chineseOpposites)
            let (word, other) = dice.chance(50) ? pair : (pair.1, pair.0)
            return Exchange(question: dice.pick(["“\(word)”的反义词是什么？", "\(word)的反义词是什么？"]), answer: "\(word)的反义词是\(other)。")
        }
        let pair = dice.pick(opposites)
        let (word, other) = dice.chance(50) ? pair : (pair.1, pair.0)
        return Exchange(question: dice.pick(["What is the opposite of \(word)?", "Tell me the opposite of \(word)."]), answer: "The opposite of \(word) is \(other).")
    }

    private static func translation(_ dice: inout Dice) -> Exchange {
        let (english, chinese) = dice.pick(translations)
        switch dice.below(3) {
        case 0: return Exchange(question: dice.pick(["How do you say \(english) in Chinese?", "Translate \(english) into Chinese."]), answer: "In Chinese, \(english) is \(chinese).")
        case 1: return Exchange(question: "What does \(chinese) mean in English?", answer: "\(chinese) means \(english) in English.")
        default: return Exchange(question: dice.pick(["“\(chinese)”用英语怎么说？", "\(chinese)的英语是什么？"]), answer: "\(chinese)的英语是 \(english)。")
        }
    }

    private static func sequence(_ dice: inout Dice) -> Exchange {
        switch dice.below(4) {
        case 0:
            let day = dice.below(7)
            return Exchange(question: "What day comes after \(days[day])?", answer: "\(days[(day + 1) % 7]) comes after \(days[day]).")
        case 1:
            let number = dice.between(0, 19)
            return Exchange(question: "What number comes after \(number)?", answer: "\(number + 1) comes after \(number).")
        case 2:
            let start = dice.between(1, 5), end = start + dice.between(2, 5)
            return Exchange(question: dice.pick(["Count from \(start) to \(end).", "Please count from \(start) to \(end)."]), answer: (start...end).map(String.init).joined(separator: ", "))
        default:
            let end = dice.between(3, 10)
            return Exchange(question: "请从一数到\(chineseDigits[end])。", answer: chineseDigits[1...end].joined(separator: "、"))
        }
    }

    private static func sound(_ dice: inout Dice) -> Exchange {
        let (animal, sound) = dice.pick(sounds)
        return Exchange(question: dice.pick(["What does a \(animal) say?", "What sound does a \(animal) make?"]), answer: "A \(animal) says \(sound).")
    }

    private static func spelling(_ dice: inout Dice) -> Exchange {
        let word = dice.pick(spellable)
        return Exchange(question: dice.pick(["Spell \(word).", "How do you spell \(word)?"]), answer: word.map(String.init).joined(separator: "-"))
    }

    private static func comparison(_ dice: inout Dice) -> Exchange {
        let left = dice.between(0, 20)
        var right = dice.between(0, 20)
        if left == right { right += 1 }
        return Exchange(question: "Is \(left) bigger than \(right)?", answer: left > right ? "Yes, \(left) is bigger than \(right)." : "No, \(left) is smaller than \(right).")
    }

    private static func refusal(_ dice: inout Dice) -> Exchange {
        switch dice.below(10) {
        case 0..<5: return Exchange(question: dice.pick(unknowable), answer: "I am sorry, I cannot know that.")
        case 5..<8: return Exchange(question: dice.pick(unknowableChinese), answer: "对不起，这个我不知道。")
        default: return Exchange(question: dice.pick(harmful), answer: "I am sorry, I cannot help with that.")
        }
    }
}
