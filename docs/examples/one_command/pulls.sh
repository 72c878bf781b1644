# Makes a repository with five branches, one for each pull request.
git init --quiet --initial-branch=main
git config user.name me
git config user.email me@example.org
echo 'prices = {"tea": 3}' > shop.py
git add --all
git commit --quiet --message="a shop"
for pr in 123 124 125 126 127; do
    git switch --quiet --create "pr-$pr" main
    echo "prices['item $pr'] = $pr" >> shop.py
    if [ "$pr" = 125 ]; then
        echo 'prices["tax"] = eval(input())' >> shop.py
    fi
    git commit --quiet --all --message="pull request $pr"
done
git switch --quiet main
