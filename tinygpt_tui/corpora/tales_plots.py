"""The plots of *tales*: each is one story's shape, in the notation that `synthetic.Notation` explains."""

PLOTS = (
    """
    {hero} and the lost {toy}

    <once> [Best of all was|{hero.He} also had] a {colour} {toy}. {hero} {toy.use}.

    <day>, {hero} took it to the {place}, where {hero.he} <sights>. [But then|But soon|But at noon] the {toy} was
    gone! <weep>

    "[What is wrong|What is the matter|Why so sad]?" asked {friend} <warmly>. "[I lost|I can't find|I dropped] my
    {toy}," said {hero}. They looked {place.seek} and found <treasure>, but no {toy}. They asked <creature> and a
    <person>.

    "<hooray>!" cried {friend}. [There it was|There lay the {toy}], {place.hide}, next to <creature>. <thanks>
    <together>
    """,
    """
    {hero} shares with {friend}

    <once>

    <day>, {hero} met {friend} {place.at} the {place}. {hero} had <baked>, <fruit> and <drink>. {friend} had
    [nothing|only a crust|only a cold potato|one small nut]. "[I left my lunch at home|<some_creature> ate my
    lunch|My lunch fell in the mud]," <sobbed> {friend} <sadly>.

    {hero} [thought for a moment|counted to <number>|looked at <creature>]. "[Half of it is yours|Sit by me|We can
    share|There is plenty for two]," {hero.he} said <warmly>. The crumbs went to <creature>. "[It tastes better|It
    is nicer] with two!" said {friend}.

    The next day {friend} brought <treasure> and a {colour} {toy}. "[This is for you|We can share this too]," said
    {friend} <warmly>. {hero} {toy.use}. <together>
    """,
    """
    {hero} and {fear}

    <once> {hero} was not afraid of [mice|spiders|thunder|bulls|deep water|the sea|bees|wolves]. But {hero} was
    afraid of {fear}.

    One <still> [night|evening], {fear.sign}. {hero} hid under <cloth>. "[Is it a ghost|Is it a thief|Is it
    <creature>]?" {hero.he} [thought|whispered|wondered]. Then {elder} came, in <worn>, with a
    [candle|lamp|torch|lantern]. "[We will look together|Let us go and see|Be brave, and look]," <spoke> {elder}
    <warmly>.

    They took <number> small steps. And what was it? It was only {fear.truth}! {hero} [laughed|had to
    smile|giggled]. "It looked like <creature> with <treasure>," {hero.he} said. Then they had <drink> and <baked>.

    [After that|From then on], {hero} was [not so afraid of|less afraid of|much braver about] {fear}. <sleep>
    """,
    """
    {hero} says sorry

    <once> {elder} had a [fine|lovely|beautiful|famous] {colour} {mishap} with <treasure> painted on it.

    <day>, {hero} was [dancing|playing|singing|hopping] like <creature>. {hero.He} went too near the {mishap}, and
    {mishap.broke}. "<oh>!" <sobbed> {hero} <sadly>.

    {hero} hid [under|behind] <cloth>. [{hero.His} tummy hurt|{hero.He} felt <sad>]. Even <baked> did not taste
    good. At last {hero.he} went to {elder}. "[I did it|It was me|I spoiled your {mishap}]," <sobbed> {hero}
    <sadly>. "I am sorry."

    {elder} counted to <number>. Then {elder.he} [smiled|nodded|laughed]. "[Thank you for telling me|It was brave
    to say so|I once did the same]," {elder.he} said <warmly>. They {mishap.mend}, and had <fruit>. <sleep>
    """,
    """
    {hero} builds a {work}

    <once>

    <day>, {hero} and {friend} [wanted|decided|hoped] to build a {work}. They found <stuff>, <bits>, <cloth> and
    <treasure>. {hero} [hammered|sawed|measured|counted] and {friend} [painted|sang|dug|gave orders].
    <some_creature> [watched|got in the way|helped a little].

    But when the {work} was [ready|nearly done], {work.fail}! <weep> "[Let us try again|One more time|We can do
    better]," <spoke> {friend} <warmly>. {elder} came with <drink> and <baked>. This time they used <stuff> and
    worked [slowly|until tea|with care|all afternoon].

    And the {work} [held|was perfect|was strong]! They painted it <colour> and {work.use}. <thanks> <sleep>
    """,
    """
    {hero} goes to see {elder}

    <once>

    <day>, {hero} and {friend} set off to see {elder}, with <fruit>, <baked> and <treasure> in a {colour} basket.
    {sky.line}. They <sights>, <sight> and <sight>.

    At the {place} the path [split in two|came to an end|was gone]. "[We are lost|I think we are lost|Now we are in
    trouble|It is too far]," <sobbed> {friend} <sadly>. A <mood> {animal} sat there and {animal.sound}. {hero} gave
    it {animal.food}. Then it {animal.go} ahead, and they followed.

    Soon they saw {elder}'s [house|chimney|gate|lamp]. "[There you are|You found me|Come in]!" <spoke> {elder}
    <warmly>. They had <drink>, and told {elder.him} about [the {animal}|the path|it all]. <sleep>
    """,
    """
    {hero} and the {animal}

    <once>

    <day>, {hero} was {place.at} the {place}. {sky.line}. There {hero.he} <sights>. Then {hero.he} heard a small
    sound {place.seek}.

    It was a <mood> {animal}! It {animal.sound} and looked <sad>. "[Are you lost|Are you hungry|Where is your
    mother|Are you cold]?" asked {hero} <warmly>, and gave it {animal.food}. {hero} wrapped it in {hero.his}
    {colour} [scarf|shirt|coat|sock] and took it home. {hero.He} called it <pet>.

    {elder} made it a bed of <cloth>. For <number> days {hero} [sang to it|read to it|sat with it]. Then {hero.he}
    took it back to {animal.home}. It {animal.go} away. {hero} felt <glad> and a bit <sad>. [Every <number>
    days|Sometimes] it came to visit, with [<creature>|<treasure>].
    """,
    """
    {hero} and the rain

    <once>

    {hero} and {friend} wanted to go to the {place} on [Saturday|Sunday] and [fly kites|have a picnic|play
    pirates|look for <creature>|find <treasure>]. But [it rained and rained|rain ran down the window|the sky was
    black]. Even <creature> looked wet. <weep>

    Then {friend} came in <worn> and a {colour} [coat|hat|cape|scarf]. "[We can play inside|I have an idea|Who
    needs the sun]!" <spoke> {friend} <warmly>. They made a [ship|house|cave|train] from <stuff> and <cloth>.
    {hero} was a [captain|king|cook|pirate] and {friend} was <creature> with <treasure>. They ate <fruit> and
    <baked>.

    When the rain stopped, they [did not even notice|jumped in <number> puddles|saw a rainbow]. "[That was better
    than the {place}|I hope it rains again|What a good day]," <spoke> {hero} <warmly>. <sleep>
    """,
    """
    {hero}'s birthday

    <once> Today {hero} was {age}! {hero.He} had [just|only] one wish: a {colour} {toy}.

    But [nobody said a word|everyone was busy]. {elder} was [baking|reading|sweeping|out]. {friend} was looking for
    <creature>. {hero} went to the {place} and <sights>. "They forgot," {hero.he} told <creature> <sadly>.

    When {hero} came home, the house was [dark|quiet|still]. {hero.He} opened the door. "[Surprise|Happy
    birthday]!" cried {elder} and {friend}. There were {age} candles, <treasure>, <fruit>, <drink> and <baked>.

    {friend} gave {hero} a [round|big|soft|tiny] <colour> box. In it was a {colour} {toy}! {hero} {toy.use}.
    <thanks> <sleep>
    """,
    """
    {hero} plants {seeds}

    <once>

    One [sunny|windy|cloudy|misty|bright|cool|warm|fine] spring [morning|day|Monday|Tuesday|Friday|Sunday], {elder}
    was in the garden in <worn>. "[My back hurts|I am so tired|There is too much to do]," said {elder} <sadly>. "[I
    can help|Let me help]!" said {hero} <warmly>. They dug up <treasure>, and planted {seeds} in <number> rows.

    "[When will they grow|Are they ready now]?" asked {hero}. "[Wait|Give them time]," <spoke> {elder} <warmly>.
    {hero} [watered them|sang to them|told them stories] for <number> days. <some_creature> came to look. But
    nothing grew! <weep>

    But after <number> weeks there was a tiny green [tip|leaf|nose]. "<hooray>!" cried {hero}. By summer the
    {seeds} {seeds.grown}. {hero} took some to {friend} in a {colour} [pot|basket|hat|bucket], and some to
    <creature>. <sleep>
    """,
    """
    {hero} learns to {skill}

    <once> {friend} could {skill}. {hero} could not.

    "[Teach me|Show me how|Please help me]," said {hero}. "[Watch|It is easy|First, be calm]," <spoke> {friend}
    <warmly>. On [Monday|Tuesday] {hero} tried, and {skill.slip}. <some_creature> laughed. On [Wednesday|Thursday]
    {hero} did [no better|a bit better|even worse]. <weep>

    "[I give up|It is too hard]," <sobbed> {hero} <sadly>. "[You are nearly there|I fell <number> times too|Try
    once more]," <spoke> {friend} <warmly>, and gave {hero} <fruit>, <baked> and a {colour} [scarf|hat|ribbon] for
    luck. {hero} [took <number> deep breaths|thought of <creature>|put on <worn>].

    And on [Friday|Saturday|Sunday] {hero} {skill.win}! "<hooray>!" cried {friend} and <creature>. <thanks>
    <together>
    """,
    """
    {hero} and {friend} fall out

    <once> {hero.His} best friend was {friend}.

    <day>, {place.at} the {place}, they <sights>. Then they found a {colour} {toy} {place.hide}. "[I saw it
    first|It is mine|Give it to me]!" said {hero}. "[No, it is mine|Let go|Never|I won't]!" said {friend}. They
    pulled and pulled, like <creature> and <creature>. {friend} went home <sad>.

    {hero} kept the {toy}, but it was no fun alone. {hero} thought for <number> [hours|days]. Then {hero.he} went
    to {friend} with <baked> and <treasure>. "I am sorry," <sobbed> {hero} <sadly>. "[You can have it|Let us take
    turns]." "I am sorry too," said {friend} <warmly>.

    So {friend} had it on [Mondays|Tuesdays|Sundays] and {hero} had it on [Fridays|Saturdays]. {hero} {toy.use},
    and so did {friend}. <together>
    """,
    """
    {hero} cannot sleep

    <once>

    One <still> night {hero} could not sleep. {hero.He} counted <treasure>. {hero.He} hummed like <creature>.
    {hero.He} put on <worn>. It did not help.

    {hero} went to the window. The moon was [round|thin|golden|low]. There {hero.he} saw [<landmark>|<creature>],
    and on the wall a <mood> {animal}. It {animal.sound}. "[Can't you sleep|Are you awake too|Is it your bedtime]?"
    asked {hero} <warmly>, and gave it {animal.food}.

    {elder} came with <drink> and a {colour} [blanket|pillow|shawl]. "Once upon a time," <spoke> {elder} <warmly>,
    "<creature> met a <person> with <treasure>..." {hero} [yawned|smiled|shut {hero.his} eyes]. After <number>
    words {hero.he} was asleep. And the {animal}? It {animal.go} home to {animal.home} and slept too.
    """,
    """
    {hero} goes to market

    <once>

    <day>, {elder} gave {hero} <number> coins. "Buy <fruit> and <baked>," <spoke> {elder} <warmly>. {sky.line}.
    {hero} <sights> and <sight>. Then {hero.he} saw a {colour} {toy}. {hero.He} wanted it [very much|so much|more
    than cake].

    But by the [well|gate|bridge] sat {friend} in <worn>, who looked <sad>. "[I lost my coins|There is a hole in my
    pocket|<some_creature> took my coins]," <sobbed> {friend} <sadly>. {hero} looked at the {toy}. Then {hero.he}
    gave {friend} [a coin|half of the coins]. "[You are kind|How good you are], {hero}!" said {friend}.

    At home {hero} told {elder} [everything|the whole story]. {elder} only smiled. But on [Sunday|Sunday morning],
    on the [table|chair|doorstep], next to <treasure>, there was a {colour} {toy}! <sleep>
    """,
)
