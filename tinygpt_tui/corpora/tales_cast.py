"""What each of the *tales* draws once and keeps, with its forms: people, places, things, and what becomes of them."""

from tinygpt_tui.corpora.synthetic import Notation
from tinygpt_tui.corpora.tales_words import COLOURS, RULES

NOTATION = Notation(RULES)
_table = NOTATION.table
GIRLS = "girl ; she ; her ; her"
BOYS = "boy ; he ; him ; his"


def _people(names: str, cells: str) -> str:
    """A row for each of these names."""
    return "".join(f"{name} ; {cells}\n" for name in names.split())


TABLES = {
    "hero": _table(
        "word kind he him his",
        _people("Mia Rose Nell Ada Ivy Lucy Wren Clara Dot Hazel Poppy Tess Maud June", GIRLS)
        + _people("Tom Ben Leo Max Finn Sam Hugo Otto Jack Ned Theo Will Arlo Gus", BOYS),
    ),
    "friend": _table(
        "word kind he him his",
        _people("Anna Bea Kate Lily Molly Nora Ruby Sara Zoe Elsie", GIRLS)
        + _people("Bill Dan Eddie Felix Harry Joe Kit Luke Peter Toby", BOYS),
    ),
    "elder": _table(
        "word he him his",
        """
        Mum ; she ; her ; her
        Grandma ; she ; her ; her
        Aunt May ; she ; her ; her
        Aunt Flora ; she ; her ; her
        Dad ; he ; him ; his
        Grandpa ; he ; him ; his
        Uncle Bob ; he ; him ; his
        Uncle Fred ; he ; him ; his
        """,
    ),
    "colour": _table("word", COLOURS.replace("|", "\n")),
    "age": _table("word", "four\nfive\nsix\nseven\neight\nnine"),
    "sky": _table(
        "word line",
        """
        sunny ; [The sun was warm on the grass|The sky was blue from end to end|Every leaf was shining]
        windy ; [The trees were bending and bowing|Leaves flew about like birds|The wind pulled at every hat]
        cloudy ; [Soft clouds sailed by|The sky looked like wool|A big cloud sat on the hill]
        misty ; [The trees looked like ghosts|The mist lay low and white|Every web had drops on it]
        frosty ; [The grass was stiff and white|Every puddle had a lid of ice|All the noses were red]
        bright ; [The birds were singing|Bees hummed in the hedges|The air smelled of hay]
        cool ; [The air smelled of leaves|Smoke rose from every chimney|It was a day for scarves]
        spring ; [There was blossom on every tree|The lambs were jumping|The first bees were out]
        """,
    ),
    "place": _table(
        "word at seek hide",
        """
        pond ; by ; [among the reeds|under the jetty|behind the willow] ; [on a lily leaf|in a rowing boat|under a duck]
        wood ; in ; [behind the oak|among the ferns|under the leaves] ; [in a hollow log|on some moss|between two roots]
        beach ; on ; [under the pier|among the rocks|behind the huts] ; [beside a crab|in a pool|under some seaweed]
        park ; in ; [under the bench|behind the slide|by the swings] ; [in the rose bed|by the fountain|on a statue]
        meadow ; in ; [by the gate|along the ditch|behind the hay] ; [among the daisies|beside a cow|under a thistle]
        farm ; on ; [behind the barn|under the cart|in the stable] ; [in a hen's nest|in the trough|on a bale of straw]
        orchard ; in ; [under the ladder|along the wall|in the shed] ; [up in a pear tree|in the long grass|in a basket]
        river ; by ; [on the bridge|under the bridge|along the bank] ; [on a flat stone|at the ferry|in a swan's nest]
        market ; at ; [under the stalls|by the well|by the clock] ; [among the cabbages|in a crate|on the cheese stall]
        """,
    ),
    "toy": _table(
        "word use",
        """
        ball ; rolled it, threw it and caught it
        doll ; combed its hair
        teddy bear ; gave it tea
        toy boat ; called it the queen of the sea
        whistle ; blew it as loud as a train
        scarf ; wore it like a king
        drum ; beat it from morning to night
        hat ; wore it even in bed
        lantern ; lit it every evening
        flute ; played it to the birds
        marble ; held it up to the light
        spinning top ; made it dance on the floor
        toy train ; drove it round the table
        puppet ; made it talk in a funny voice
        flag ; waved it from the window
        tin robot ; wound it up each morning
        """,
    ),
    "animal": _table(
        "word sound go food home",
        """
        hedgehog ; sniffed ; trotted ; a slice of pear ; a pile of leaves
        rabbit ; twitched its nose ; hopped ; a carrot ; a hole in the bank
        squirrel ; chattered ; bounced ; a nut ; a nest in the pine
        kitten ; mewed ; crept ; a saucer of milk ; a basket in the barn
        puppy ; barked ; raced ; a crust of pie ; a yard full of puppies
        duckling ; peeped ; waddled ; some soft bread ; a nest in the reeds
        robin ; chirped ; fluttered ; a few crumbs ; a holly bush
        lamb ; bleated ; skipped ; a handful of clover ; the green hill
        donkey ; brayed ; plodded ; a thistle ; the far field
        turtle ; blinked ; crawled ; a leaf of lettuce ; the warm stones
        mouse ; squeaked ; scurried ; a bit of cheese ; a gap in the wall
        baby owl ; hooted ; flapped ; a sip of water ; the church tower
        """,
    ),
    "fear": _table(
        "word sign truth",
        """
        the dark ; something tall stood in the corner ; a coat on a hook
        night noises ; something went tap, tap, tap at the window ; a branch of the plum tree
        the cellar ; something rattled behind the jars ; a mouse with a nutshell
        the attic ; two round eyes shone under the roof ; an old rocking horse
        shadows ; a long grey hand moved on the wall ; the shadow of a fern
        ghosts ; something white danced in the garden ; a shirt on the line
        monsters ; something snored under the bed ; the neighbour's fat cat
        """,
    ),
    "mishap": _table(
        "word broke mend",
        """
        jug ; knocked it off the shelf ; glued it piece by piece
        vase ; cracked it with one elbow ; painted a flower over the crack
        clock ; let it fall, and it stopped ; put back each little wheel
        teapot ; dropped it, and the lid broke ; made a new lid out of clay
        kite ; flew it into a thorn bush ; patched it with paper and paste
        lamp ; knocked it over ; fixed it with a nail and some string
        map ; spilled ink all over it ; drew it again in their best hand
        parasol ; sat on it ; bent it back over one knee
        """,
    ),
    "work": _table(
        "word fail use",
        """
        raft ; it sank with a gurgle ; sailed it across the duck pond
        den ; the roof slid off ; ate their lunch inside it
        cart ; a wheel rolled away ; rode down the lane in it
        tower ; it tipped over with a crash ; saw the sea from the top
        bird house ; the floor dropped out ; watched two finches move in
        swing ; the rope came undone ; took turns until the stars came out
        bridge ; it fell into the stream ; crossed it like two kings
        toy castle ; the walls fell down ; made a beetle its king
        """,
    ),
    "skill": _table(
        "word slip win",
        """
        swim ; swallowed half the pond ; swam all the way to the other side
        whistle ; only blew bubbles ; whistled a whole tune
        ride a bicycle ; rode into a hedge ; rode right round the green
        skate ; sat down with a bump ; made a perfect circle
        juggle ; dropped a plum on the dog ; kept three plums in the air
        tie a bow ; tied both thumbs together ; tied a bow with two neat ears
        bake bread ; made a loaf as hard as a brick ; made a loaf as light as a cloud
        fish ; caught an old boot ; caught a silver trout and let it go
        play the fiddle ; made the cat run away ; made the neighbours dance
        """,
    ),
    "seeds": _table(
        "word grown",
        """
        beans ; climbed right up to the roof
        sunflowers ; were taller than the door
        pumpkins ; were as big as footstools
        peas ; hung in fat green rows
        roses ; smelled of honey
        tulips ; stood like a row of soldiers
        strawberries ; were sweet and red
        radishes ; were as round as marbles
        """,
    ),
}
